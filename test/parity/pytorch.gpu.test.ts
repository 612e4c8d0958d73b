/**
 * Parity with PyTorch in Node: every module fixture and every network fixture, relative L2 error <= 1e-5; by every schedule,
 * with the kernels of this adapter and with those that run on any, and with small modules collapsed and not.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'vitest';
import { schedules } from '../../src/scheduler/plan.ts';
import { expectClose } from '../support/compare.ts';
import { useGpu } from '../support/gpu.ts';
import { rounds } from '../support/rounds.ts';
import type { RunGraphOptions } from '../support/run-graph.ts';
import { compareModule, compareNetwork, type NetworkFixture } from './pytorch.ts';

const gpu = useGpu();
const modules = new URL('../fixtures/modules/', import.meta.url);
const networks = new URL('../fixtures/networks/', import.meta.url);
const filesOf = (folder: URL, ending: string) => readdirSync(folder).filter((name) => name.endsWith(ending));

const variants: [string, RunGraphOptions][] = [
  ...schedules.map((schedule): [string, RunGraphOptions] => [`schedule ${schedule}`, { schedule }]),
  ['without collapse-modules', { withoutPasses: ['collapse-modules'] }],
  ['without collapse-modules, kernels for any adapter', { withoutPasses: ['collapse-modules'], hasQuads: false }],
];

describe.each(variants)('%s', (_, options) => {
  it.each(filesOf(modules, '.safetensors'))('%s', async (file) => {
    const { actual, expected } = await compareModule(gpu.engine, file, readFileSync(new URL(file, modules)), options);
    expectClose(actual, expected, { relativeL2: 1e-5 });
  });

  // VGG11 is 133 million weights to make and arrange: by each schedule, unless soaked.
  const files = filesOf(networks, '.json').filter((name) => 'schedule' in options || rounds(!name.startsWith('vgg'), true));
  it.each(files)('%s', async (file) => {
    const fixture = JSON.parse(readFileSync(new URL(file, networks), 'utf8')) as NetworkFixture;
    const { actual, expected } = await compareNetwork(gpu.engine, fixture, options);
    expectClose(actual, expected, { relativeL2: 1e-5 });
  });
});

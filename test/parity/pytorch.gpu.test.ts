/**
 * Parity with PyTorch in Node: every module fixture and every network fixture, by every schedule, relative L2
 * error <= 1e-5.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'vitest';
import { schedules } from '../../src/scheduler/plan.ts';
import { expectClose } from '../support/compare.ts';
import { useGpu } from '../support/gpu.ts';
import { compareModule, compareNetwork, type NetworkFixture } from './pytorch.ts';

const gpu = useGpu();
const modules = new URL('../fixtures/modules/', import.meta.url);
const networks = new URL('../fixtures/networks/', import.meta.url);
const filesOf = (folder: URL, ending: string) => readdirSync(folder).filter((name) => name.endsWith(ending));

describe.each(schedules)('schedule %s', (schedule) => {
  it.each(filesOf(modules, '.safetensors'))('%s', async (file) => {
    const { actual, expected } = await compareModule(gpu.engine, file, readFileSync(new URL(file, modules)), schedule);
    expectClose(actual, expected, { relativeL2: 1e-5 });
  });

  it.each(filesOf(networks, '.json'))('%s', async (file) => {
    const fixture = JSON.parse(readFileSync(new URL(file, networks), 'utf8')) as NetworkFixture;
    const { actual, expected } = await compareNetwork(gpu.engine, fixture, schedule);
    expectClose(actual, expected, { relativeL2: 1e-5 });
  });
});

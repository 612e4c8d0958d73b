/** Parity with PyTorch in Node: every module fixture and every network fixture, relative L2 error <= 1e-5. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'vitest';
import { expectClose } from '../support/compare.ts';
import { useGpu } from '../support/gpu.ts';
import { compareModule, compareNetwork, type NetworkFixture } from './pytorch.ts';

const gpu = useGpu();
const modules = new URL('../fixtures/modules/', import.meta.url);
const networks = new URL('../fixtures/networks/', import.meta.url);
const filesOf = (folder: URL, ending: string) => readdirSync(folder).filter((name) => name.endsWith(ending));

describe('modules', () => {
  it.each(filesOf(modules, '.safetensors'))('%s', async (file) => {
    const { actual, expected } = await compareModule(gpu.engine, file, readFileSync(new URL(file, modules)));
    expectClose(actual, expected, { relativeL2: 1e-5 });
  });
});

describe('networks', () => {
  it.each(filesOf(networks, '.json'))('%s', async (file) => {
    const fixture = JSON.parse(readFileSync(new URL(file, networks), 'utf8')) as NetworkFixture;
    const { actual, expected } = await compareNetwork(gpu.engine, fixture);
    expectClose(actual, expected, { relativeL2: 1e-5 });
  });
});

import { expect, test, vi } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import { openGpu } from '../../src/node/node.ts';
import { describeAdapter, isSoftwareAdapter } from '../../src/runtime/adapter-info.ts';
import { DOUBLE_WGSL, doubleOnGpu } from '../support/double.ts';

test('finds an adapter in Node that computes, and leaves the environment as it was', async () => {
  const before = { ...process.env };
  const { gpu, adapter, describe } = await openNodeGpu();
  console.log(`adapter in Node: ${describe}`);
  expect(adapter.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(128 * 1024 * 1024);
  expect(await doubleOnGpu(gpu, DOUBLE_WGSL, [1, 2.5, -3])).toEqual([2, 5, -6]);
  expect({ ...process.env }).toEqual(before);
});

test('calls share one GPU object; each gives a fresh adapter', async () => {
  const first = await openNodeGpu();
  const second = await openNodeGpu();
  expect(second.gpu).toBe(first.gpu);
  expect(second.adapter).not.toBe(first.adapter);
  expect(second.describe).toBe(first.describe);
});

test('long waits are asked for by a timer', async () => {
  const timer = vi.spyOn(globalThis, 'setTimeout');
  vi.resetModules();
  const { gpu } = await (await import('../../cli/node-adapter.ts')).openNodeGpu();
  // Every wait is long.
  let now = 0;
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 1000));
  try {
    expect(await doubleOnGpu(gpu, DOUBLE_WGSL, [1])).toEqual([2]);
    expect(timer).toHaveBeenCalledWith(expect.any(Function), 1);
  } finally {
    timer.mockRestore();
    clock.mockRestore();
  }
});

test("a GPU by itself takes Dawn's flags, which Dawn reads", async () => {
  expect(await openGpu({ flags: ['enable-dawn-features=allow_unsafe_apis'] })).not.toBe((await openNodeGpu()).gpu);
  await expect(openGpu({ flags: ['allow_unsafe_apis'] })).rejects.toThrow('<key>=<value>');
});

test('tells software adapters from GPUs', () => {
  const blank = { vendor: '', architecture: '', device: '', description: '', isFallbackAdapter: false };
  const info = (fields: Partial<GPUAdapterInfo>): GPUAdapterInfo => ({ ...blank, ...fields }) as GPUAdapterInfo;
  const swiftshader = info({ vendor: 'google', architecture: 'swiftshader', device: 'swiftshader-device-subzero-' });
  expect(describeAdapter(swiftshader)).toBe('swiftshader-device-subzero (google, swiftshader), software');
  expect(isSoftwareAdapter(info({ device: 'llvmpipe-llvm-19-1-7-256-bits-' }))).toBe(true);
  expect(isSoftwareAdapter(info({ isFallbackAdapter: true }))).toBe(true);
  expect(describeAdapter(info({ vendor: 'nvidia', architecture: 'hopper' }))).toBe('nvidia, hopper');
  expect(describeAdapter(info({}))).toBe('unnamed adapter');
});

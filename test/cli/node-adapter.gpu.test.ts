import { expect, test } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import { describeAdapter, isSoftwareAdapter } from '../../src/runtime/adapter-info.ts';
import { DOUBLE_WGSL, doubleOnGpu } from '../support/double.ts';

test('finds an adapter in Node that computes', async () => {
  const { gpu, adapter, describe } = await openNodeGpu();
  console.log(`adapter in Node: ${describe}`);
  expect(adapter.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(128 * 1024 * 1024);
  expect(await doubleOnGpu(gpu, DOUBLE_WGSL, [1, 2.5, -3])).toEqual([2, 5, -6]);
});

test('calls with the same flags share one GPU object; each gives a fresh adapter', async () => {
  const first = await openNodeGpu();
  const second = await openNodeGpu();
  expect(second.gpu).toBe(first.gpu);
  expect(second.adapter).not.toBe(first.adapter);
  expect(second.describe).toBe(first.describe);
});

test('flags reach Dawn and leave the environment as it was', async () => {
  const before = { ...process.env };
  const { gpu, flags } = await openNodeGpu({ flags: ['enable-dawn-features=allow_unsafe_apis'] });
  expect(flags).toEqual(['enable-dawn-features=allow_unsafe_apis']);
  expect(gpu).not.toBe((await openNodeGpu()).gpu);
  expect({ ...process.env }).toEqual(before);
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

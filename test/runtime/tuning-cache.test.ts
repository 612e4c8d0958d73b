/** What a tuning record is about: the key changes with adapter, driver, features and kernels; candidates must be the same. */
import { expect, test } from 'vitest';
import { kernels } from '../../src/kernels/kernels.ts';
import { kernelVersion } from '../../src/kernels/version.ts';
import type { AdapterDescription } from '../../src/index.ts';
import { isAbout, tuningKey } from '../../src/runtime/tuning-cache.ts';
import { DEVICE_LIMITS } from '../bench/sample-report.ts';

const adapter: AdapterDescription = {
  name: 'card (maker)',
  isSoftware: false,
  vendor: 'maker',
  architecture: 'arch',
  device: 'card',
  description: 'driver 1',
  driver: '',
  features: ['subgroups', 'timestamp-query'],
  limits: DEVICE_LIMITS,
};

test('the key changes with everything that times depend on', () => {
  const others = [
    { ...adapter, vendor: 'other' },
    { ...adapter, architecture: 'other' },
    { ...adapter, device: 'other' },
    { ...adapter, description: 'driver 2' },
    { ...adapter, driver: '2' },
    { ...adapter, features: ['timestamp-query'] },
  ];
  const keys = [adapter, ...others].map((each) => tuningKey(each));
  expect(new Set([...keys, tuningKey(adapter, 'other')]).size).toBe(keys.length + 1);
  expect(tuningKey(adapter)).toBe(tuningKey(structuredClone(adapter)));
});

test('the version of the kernels changes with any of their code, with their names and their order', () => {
  const version = kernelVersion();
  expect(version).toMatch(/^[0-9a-f]{16}$/);
  expect(kernelVersion([...kernels])).toBe(version);
  for (const index of kernels.keys()) {
    const { name, code } = kernels[index];
    const changed = (kernel: { name: string; code: string }) => kernelVersion(kernels.map((each, i) => (i === index ? kernel : each)));
    expect(changed({ name, code: `${code} ` })).not.toBe(version);
    expect(changed({ name: `${name}2`, code })).not.toBe(version);
  }
  expect(kernelVersion([...kernels].reverse())).not.toBe(version);
});

test('what is known of other candidates is not known of these', () => {
  const tuned = { chosen: 'a', timesMs: { a: 1, b: 2 }, excluded: { c: 'wrong' } };
  const isAboutThem = (...candidates: string[]) => isAbout(tuned, { signature: 's', candidates });
  expect(isAboutThem('c', 'b', 'a')).toBe(true);
  expect(isAboutThem('a', 'b')).toBe(false);
  expect(isAboutThem('a', 'b', 'c', 'd')).toBe(false);
  expect(isAboutThem('b', 'c', 'd')).toBe(false);
});

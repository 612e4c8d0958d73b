/** What a tuning record is about: the key changes with adapter, driver, features and kernels; candidates must be the same. */
import { expect, test, vi } from 'vitest';
import { kernels } from '../../src/kernels/kernels.ts';
import { kernelVersion } from '../../src/kernels/version.ts';
import type { AdapterDescription } from '../../src/index.ts';
import { choicesOf, isAbout, lookUp, parseTuningRecord, tuningKey, type TuningRecord } from '../../src/runtime/tuning-cache.ts';
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

test('it changes with what is in every module, too', async () => {
  vi.resetModules();
  vi.doMock('../../shaders/at-least.wgsl?raw', () => ({ default: '// Another way.' }));
  const changed = await import('../../src/kernels/version.ts');
  expect(changed.kernelVersion()).not.toBe(kernelVersion());
});

test('what is known of other candidates is not known of these', () => {
  const tuned = { chosen: 'a', timesMs: { a: 1, b: 2 }, excluded: { c: 'wrong' } };
  const isAboutThem = (...candidates: string[]) => isAbout(tuned, { signature: 's', candidates });
  expect(isAboutThem('c', 'b', 'a')).toBe(true);
  expect(isAboutThem('a', 'b')).toBe(false);
  expect(isAboutThem('a', 'b', 'c', 'd')).toBe(false);
  expect(isAboutThem('b', 'c', 'd')).toBe(false);
});

test('a kernel that was not measured is not taken, whatever a record says, but for the predicted one', () => {
  const tuned = (chosen: string) => ({ chosen, timesMs: { b: 2 }, excluded: { a: 'does not compile', c: 'computes something else' } });
  const candidates = ['a', 'b', 'c'];
  expect(['a', 'b', 'c', 'toString'].filter((chosen) => isAbout(tuned(chosen), { signature: 's', candidates }))).toEqual(['a', 'b']);
  // The predicted one is what is taken without a choice.
  expect([...choicesOf(new Map(['a', 'b', 'c', 'toString'].map((chosen) => [chosen, tuned(chosen)])))]).toEqual([['b', 'b']]);
});

test('a record is what a cache gave, without whatever else lies there', async () => {
  const record: TuningRecord = { adapter: 'card', signatures: { s: { chosen: 'a', timesMs: { a: 1 }, excluded: { b: 'wrong' } } } };
  const found = (value: unknown) => lookUp({ get: async () => value as TuningRecord, set: async () => {} }, 'key');
  const { s } = record.signatures;
  expect(await found({ ...record, more: [], signatures: { s: { ...s, more: [] } } })).toEqual(record);
  for (const wrong of [null, 1, [], {}, { ...record, signatures: { s: null } }, { ...record, signatures: { s: { ...s, timesMs: { a: Infinity } } } }]) {
    expect(parseTuningRecord(wrong)).toBeUndefined();
    expect(await found(wrong)).toBeUndefined();
  }
  const problems: string[] = [];
  expect(await lookUp({ get: () => Promise.reject(null), set: async () => {} }, 'key', problems)).toBeUndefined();
  expect(problems).toEqual(['null']);
});

/** Seeded weights: the same bits always, in the documented ranges, and different wherever they should be. */
import { describe, expect, test } from 'vitest';
import { CompConvError } from '../../src/errors.ts';
import { seededUniform, seededWeights } from '../../src/weights/seeded.ts';

const SHAPES = new Map<string, readonly number[]>([
  ['conv.weight', [32, 16, 3, 3]],
  ['conv.tail.weight', [37, 1, 3, 3]],
  ['fc.weight', [40, 600]],
  ['fc.bias', [4000]],
  ['bn.weight', [4000]],
  ['bn.bias', [4000]],
  ['bn.running_mean', [4000]],
  ['bn.running_var', [4000]],
  ['empty.weight', [5, 0]],
]);

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(CompConvError);
    return (error as CompConvError).code;
  }
  return 'none';
}

test('matches the formula in its documentation, in BigInt arithmetic', () => {
  const u32 = (x: bigint): bigint => BigInt.asUintN(32, x);
  const mix = (value: bigint): bigint => {
    let x = u32(value);
    x = u32((x ^ (x >> 16n)) * 0x21f0aaadn);
    x = u32((x ^ (x >> 15n)) * 0x735a2d97n);
    return x ^ (x >> 15n);
  };
  for (const [seed, name] of [[0, ''], [1, 'conv1.weight'], [2 ** 32 - 1, 'é\u{1f600}']] as const) {
    let hash = 0x811c9dc5n;
    for (const byte of new TextEncoder().encode(name)) hash = u32((hash ^ BigInt(byte)) * 0x01000193n);
    const k0 = mix(hash ^ mix(BigInt(seed)));
    const k1 = mix(k0 + 0x9e3779b9n);
    const expected = Array.from({ length: 100 }, (_, i) => {
      let x = u32(k0 + 0x9e3779b9n * BigInt(i));
      x = u32((x ^ (x >> 16n)) * 0x21f0aaadn);
      x = u32((x ^ (x >> 15n) ^ k1) * 0x735a2d97n);
      x ^= x >> 15n;
      return Math.fround(-0.3 + Number(x >> 8n) * ((0.7 - -0.3) / 2 ** 24));
    });
    expect([...seededUniform(seed, name, 100, -0.3, 0.7)]).toEqual(expected);
  }
});

test('bits that never change', () => {
  const { data } = seededWeights(new Map([['conv1.weight', [2, 3, 1, 1]]]), 1).get('conv1.weight');
  expect([...new Uint32Array(data.buffer)].map((bits) => bits.toString(16))).toMatchInlineSnapshot(`
    [
      "3d512620",
      "3ee3ec44",
      "bf6f3885",
      "3f169590",
      "3fae1cbe",
      "bddd4982",
    ]
  `);
});

test('any order of get, the same values; a fresh array each time', () => {
  const forward = seededWeights(SHAPES, 7);
  const backward = seededWeights(new Map([...SHAPES].reverse()), 7);
  const names = [...SHAPES.keys()];
  const first = new Map(names.map((name) => [name, forward.get(name)]));
  for (const name of names.reverse()) expect(backward.get(name)).toEqual(first.get(name));
  expect(forward.get('fc.bias').data).not.toBe(first.get('fc.bias')?.data);
  expect([...forward.shapes]).toEqual([...SHAPES]);
});

test('another seed, name or tensor, other values', () => {
  const values = [
    seededUniform(1, 'a', 1000, 0, 1),
    seededUniform(2, 'a', 1000, 0, 1),
    seededUniform(1, 'b', 1000, 0, 1),
    seededUniform(0, '', 1000, 0, 1),
  ];
  for (let i = 0; i < values.length; i++) {
    for (let j = 0; j < i; j++) expect(values[i].filter((value) => values[j].includes(value)).length).toBeLessThan(5);
  }
});

describe('ranges', () => {
  const cases: [string, number, number][] = [
    ['conv.weight', -Math.sqrt(6 / 144), Math.sqrt(6 / 144)],
    ['conv.tail.weight', -Math.sqrt(6 / 9), Math.sqrt(6 / 9)],
    ['fc.weight', -0.1, 0.1],
    ['fc.bias', -0.1, 0.1],
    ['bn.weight', 0.5, 1],
    ['bn.bias', -0.1, 0.1],
    ['bn.running_mean', -0.1, 0.1],
    ['bn.running_var', 0.5, 1.5],
  ];
  test.each(cases)('%s is uniform in [%d, %d]', (name, low, high) => {
    const { shape, data } = seededWeights(SHAPES, 3).get(name);
    expect(shape).toEqual(SHAPES.get(name));
    const unit = Array.from(data, (value) => (value - low) / (high - low));
    // A hair of rounding to float32.
    expect(Math.min(...unit)).toBeGreaterThan(-1e-6);
    expect(Math.max(...unit)).toBeLessThan(1 + 1e-6);
    const mean = (list: number[]): number => list.reduce((sum, value) => sum + value, 0) / list.length;
    // Five standard deviations of the mean, and of a tenth's share.
    const n = unit.length;
    expect(Math.abs(mean(unit) - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / n));
    for (let tenth = 0; tenth < 10; tenth++) {
      const share = unit.filter((value) => Math.floor(value * 10) === tenth).length / n;
      expect(Math.abs(share - 0.1)).toBeLessThan(5 * Math.sqrt(0.09 / n));
    }
    const neighbours = mean(unit.slice(1).map((value, i) => (value - 0.5) * (unit[i] - 0.5)));
    expect(Math.abs(neighbours)).toBeLessThan(5 / 12 / Math.sqrt(n));
  });
});

test('empty tensors', () => {
  expect(seededWeights(SHAPES, 3).get('empty.weight')).toEqual({ shape: [5, 0], data: new Float32Array(0) });
});

test.each([-1, 0.5, NaN, 2 ** 32])('refuses the seed %d', (seed) => {
  expect(codeOf(() => seededWeights(new Map(), seed))).toBe('invalid-argument');
  expect(codeOf(() => seededUniform(seed, 'a', 1, 0, 1))).toBe('invalid-argument');
});

test('refuses names it does not know', () => {
  expect(codeOf(() => seededWeights(SHAPES, 1).get('toString'))).toBe('invalid-argument');
  expect(codeOf(() => seededWeights(new Map([['bn.num_batches_tracked', []]]), 1))).toBe('invalid-argument');
  expect(codeOf(() => seededWeights(new Map([['scalar.weight', []]]), 1))).toBe('invalid-argument');
});

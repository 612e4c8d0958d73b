/** The comparator must be able to fail; a test that cannot fail proves nothing. */
import { describe, expect, it } from 'vitest';
import { difference, dotTolerance, expectClose, relativeL2 } from './compare.ts';

const expected = Float32Array.from({ length: 10_007 }, (_, i) => Math.sin(i * 12.9898) + 0.001 * i);
const changed = (change: (values: Float32Array) => void) => {
  const values = expected.slice();
  change(values);
  return values;
};
const tolerance = { relativeL2: dotTolerance(4608) };

describe('expectClose', () => {
  it('passes equal values, and values that differ by rounding', () => {
    expectClose(expected, expected, { relativeL2: 0 });
    expectClose(expected.map((value) => value * (1 + 2e-7)), expected, tolerance);
  });

  it.each<[string, Float32Array, RegExp]>([
    ['a NaN', changed((v) => (v[4000] = NaN)), /at index 4000: got NaN, expected/],
    ['an infinity', changed((v) => (v[1] = -Infinity)), /at index 1: got -Infinity, expected/],
    ['two swapped elements', changed((v) => ([v[7], v[8]] = [v[8], v[7]])), /worst of 10007 at index [78]:/],
    ['one wrong element among many', changed((v) => (v[10_006] *= 1.1)), /worst of 10007 at index 10006:/],
    ['one element that is 0', changed((v) => (v[2000] = 0)), /index 2000: got 0, expected/],
    ['all elements of the wrong sign', expected.map((v) => -v), /relative L2 error 2\.00e\+0 is above/],
    ['all elements 0', new Float32Array(expected.length), /relative L2 error 1\.00e\+0 is above/],
    ['one element too few', expected.slice(0, -1), /got 10006 values, expected 10007/],
    ['one element too many', Float32Array.from([...expected, 0]), /got 10008 values, expected 10007/],
    ['a shift by one', Float32Array.from([0, ...expected.slice(0, -1)]), /relative L2 error/],
  ])('fails on %s', (_what, actual, message) => {
    expect(() => expectClose(actual, expected, tolerance)).toThrow(message);
  });

  it('fails where the expected value is not finite and the actual one is', () => {
    expect(() => expectClose([1, 2], [1, NaN], tolerance)).toThrow(/at index 1: got 2, expected NaN/);
    expect(() => expectClose([1, 2], [Infinity, 2], tolerance)).toThrow(/at index 0: got 1, expected Infinity/);
    expect(() => expectClose([-Infinity], [Infinity], tolerance)).toThrow(/got -Infinity, expected Infinity/);
    expect(() => expectClose([NaN], [Infinity], tolerance)).toThrow(/got NaN, expected Infinity/);
  });

  it('accepts the same NaN and infinities in both, and still compares the rest', () => {
    expectClose([1, NaN, -Infinity], [1, NaN, -Infinity], tolerance);
    expect(() => expectClose([1.1, NaN], [1, NaN], tolerance)).toThrow(/index 0: got 1.1, expected 1/);
  });

  it('fails on an error however small where all expected values are 0', () => {
    expectClose([0, -0], [0, 0], tolerance);
    expect(() => expectClose([0, 1e-30], [0, 0], tolerance)).toThrow(/relative L2 error Infinity/);
  });

  it('fails on nothing to compare and on a tolerance that is no number', () => {
    expect(() => expectClose([], [], tolerance)).toThrow(/nothing to compare/);
    expect(difference([1], [1.5], { relativeL2: NaN })).toMatch(/relative L2 error/);
  });

  it('puts the label in front', () => {
    expect(() => expectClose([1], [2], tolerance, 'conv2d s=2')).toThrow(/^conv2d s=2: /);
  });
});

describe('relativeL2', () => {
  it('is the norm of the difference over the norm of the expected values', () => {
    expect(relativeL2([3, 4.5], [3, 4])).toBeCloseTo(0.1, 12);
    expect(relativeL2([NaN], [1])).toBeNaN();
  });
});

describe('dotTolerance', () => {
  /** Relative L2 error of 400 float32 dot products, summed in sequence, against float64. */
  function measuredError(terms: number, bothSigns: boolean): number {
    const { sums, exact } = { sums: [] as number[], exact: [] as number[] };
    let state = 12345;
    const random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.fround(state / 2 ** 32 - (bothSigns ? 0.5 : 0));
    };
    for (let repeat = 0; repeat < 400; repeat++) {
      let f32 = 0;
      let f64 = 0;
      for (let i = 0; i < terms; i++) {
        const [a, b] = [random(), random()];
        f32 = Math.fround(f32 + Math.fround(a * b));
        f64 += a * b;
      }
      sums.push(f32);
      exact.push(f64);
    }
    return relativeL2(sums, exact);
  }

  it.each([
    [1, true],
    [27, true],
    [576, true],
    [4608, true],
    [27, false],
    [4608, false],
  ])('is above the measured error of %d products (both signs: %s), and not 100 times it', (terms, bothSigns) => {
    const error = measuredError(terms, bothSigns);
    expect(error).toBeLessThan(dotTolerance(terms) / 4);
    expect(error).toBeGreaterThan(dotTolerance(terms) / 100);
  });
});

import { expect, test } from 'vitest';
import { clockStep, isSteady, median, p90, relativeL2, summarize } from '../../bench/statistics.ts';

test('median: the middle value, or the mean of the two middle ones', () => {
  expect(median([5])).toBe(5);
  expect(median([9, 1, 5])).toBe(5);
  expect(median([10, 2, 4, 9])).toBe(6.5);
});

test('p90: the smallest value that 90 % do not exceed', () => {
  const upTo = (n: number) => Array.from({ length: n }, (_, i) => n - i);
  expect(p90([7])).toBe(7);
  expect(p90(upTo(9))).toBe(9);
  expect(p90(upTo(10))).toBe(9);
  expect(p90(upTo(11))).toBe(10);
  expect(p90(upTo(20))).toBe(18);
  expect(p90(upTo(100))).toBe(90);
  // As numbers, not as text.
  expect(p90([100, 20, 3])).toBe(100);
});

test('summarize leaves its input as it was; no values have no statistics', () => {
  const values = [3, 1, 2];
  expect(summarize(values)).toEqual({ median: 2, p90: 3, min: 1, n: 3 });
  expect(values).toEqual([3, 1, 2]);
  expect(() => median([])).toThrow(RangeError);
  expect(() => p90([])).toThrow(RangeError);
});

test('relative L2 error; NaN for what cannot be compared', () => {
  expect(relativeL2([3, 4], [3, 4])).toBe(0);
  expect(relativeL2([3, 4.5], [3, 4])).toBeCloseTo(0.1, 12);
  expect(relativeL2([0, 0], [3, 4])).toBe(1);
  expect(relativeL2([NaN, 4], [3, 4])).toBeNaN();
  expect(relativeL2([3], [3, 4])).toBeNaN();
  expect(relativeL2([0], [0])).toBeNaN();
});

test('steady: within 10 % of the longer one', () => {
  expect(isSteady(100, 90)).toBe(true);
  expect(isSteady(90, 100)).toBe(true);
  expect(isSteady(100, 89)).toBe(false);
  expect(isSteady(100, 112)).toBe(false);
});

test('the step of a clock: what all its readings are multiples of, from the first one on', () => {
  const readings = (step: bigint, origin: bigint, ...steps: bigint[]) => steps.map((n) => origin + n * step);
  expect(clockStep(readings(65536n, 0n, 10n, 13n, 13n, 18n))).toBe(65536n);
  // Wherever it began, and in whatever order.
  expect(clockStep(readings(100_000n, 2n ** 62n + 7n, 9n, 4n, 13n, 4n))).toBe(100_000n);
  expect(clockStep(readings(1n, 12345n, 0n, 17n, 40n))).toBe(1n);
  for (const still of [[], [5n], [5n, 5n, 5n]]) expect(clockStep(still)).toBeUndefined();
});

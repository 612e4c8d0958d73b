/**
 * The comparator of every test: two lists of numbers are close if their difference is small next to the expected
 * values, as one relative L2 norm. What is not finite must be not finite in the same way in both.
 */
import { expect } from 'vitest';

/** Unit roundoff of float32, 2^-24: the largest relative error of one rounded operation. */
export const F32_UNIT_ROUNDOFF = 2 ** -24;

/** `|actual - expected| / |expected|` in L2; 0 / 0 is 0. NaN if anything is NaN, so never compare it with `>`. */
export function relativeL2(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let error = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  return ratio(error, size);
}

function ratio(errorSquared: number, sizeSquared: number): number {
  return errorSquared === 0 ? 0 : Math.sqrt(errorSquared / sizeSquared);
}

/**
 * How two lists differ, in words; undefined if `actual` is close to `expected`. Not close: another length, no values at
 * all (a comparison of nothing proves nothing), an infinity or NaN on one side only, a relative L2 above the tolerance.
 */
export function difference(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: { readonly relativeL2: number },
): string | undefined {
  if (actual.length !== expected.length) return `got ${actual.length} values, expected ${expected.length}`;
  if (expected.length === 0) return 'there is nothing to compare';
  let worst = -1;
  let worstError = -1;
  let errorSquared = 0;
  let sizeSquared = 0;
  for (let i = 0; i < expected.length; i++) {
    if (!Number.isFinite(expected[i]) || !Number.isFinite(actual[i])) {
      if (!Object.is(actual[i], expected[i])) return `at index ${i}: got ${actual[i]}, expected ${expected[i]}`;
      continue;
    }
    const error = Math.abs(actual[i] - expected[i]);
    if (error > worstError) [worst, worstError] = [i, error];
    errorSquared += error ** 2;
    sizeSquared += expected[i] ** 2;
  }
  const error = ratio(errorSquared, sizeSquared);
  // Written so that a NaN anywhere, in the tolerance too, is a difference.
  if (error <= tolerance.relativeL2) return undefined;
  return (
    `relative L2 error ${error.toExponential(2)} is above ${tolerance.relativeL2.toExponential(2)}; worst of ` +
    `${expected.length} at index ${worst}: got ${actual[worst]}, expected ${expected[worst]}`
  );
}

/** Fails the test unless `actual` is close to `expected`; says the worst index and its values. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: { readonly relativeL2: number },
  label = 'values',
): void {
  const found = difference(actual, expected, tolerance);
  if (found) expect.fail(`${label}: ${found}`);
}

/**
 * Relative L2 tolerance for values that are each a float32 sum of `terms` products, against the exact sum.
 *
 * With u = 2^-24, adding term after term rounds partial sum s_k by at most u |s_k|, on average (uniform) by u |s_k| /
 * sqrt 3, independently of the others. Terms of random sign and size a: |s_k| = a sqrt k, so the errors add up (as
 * squares) to u a n / sqrt 6, which next to |s_n| = a sqrt n is 0.41 u sqrt n. Terms of one sign: |s_k| = k a, and
 * the same sum gives u a n^1.5 / 3, which next to n a is 0.33 u sqrt n. Rounding the products adds u / sqrt 3 at
 * most. So 0.41 u sqrt(n + 2) is expected in both cases. 8 instead of 0.41 leaves room for sums that cancel further
 * than random ones do, for other orders of summation (tiles, which round less), and for a BatchNorm folded into the
 * weights.
 */
export function dotTolerance(terms: number): number {
  return 8 * F32_UNIT_ROUNDOFF * Math.sqrt(terms + 2);
}

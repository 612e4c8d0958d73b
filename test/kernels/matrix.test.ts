/** Sums of scaled rows, which weights multiplied out at load are made of. */
import { expect, test } from 'vitest';
import { addRows } from '../../src/kernels/matrix.ts';
import { distinctValues } from '../support/random.ts';

test.each([0, 1, 3, 4, 5, 8, 11])('adds %i rows, each times its factor', (count) => {
  const matrix = new Float32Array(distinctValues(13 * 7, 1));
  const factors = distinctValues(count, 2);
  // Not in order, some more than once, some of them overlapping.
  const rows = Array.from(factors, (factor, k) => ({ at: (k * 29) % (12 * 7), factor }));
  const before = Float64Array.from({ length: 7 }, (_, n) => n + 0.5);
  const sum = before.slice();
  addRows(sum, matrix, rows);
  const expected = before.map((value, n) => rows.reduce((total, { at, factor }) => total + factor * matrix[at + n], value));
  sum.forEach((value, n) => expect(value).toBeCloseTo(expected[n], 12));
});

/** Reference pooling on cases worked out by hand; adaptive pooling also against its definition by regions. */
import { describe, expect, it } from 'vitest';
import { fromTensor } from '../../src/reference/activation.ts';
import { avgPool } from '../../src/reference/avg-pool.ts';
import { maxPool } from '../../src/reference/max-pool.ts';
import { tensor } from '../../src/tensor/tensor.ts';

const image = (shape: number[], values: number[]) => fromTensor(tensor(shape, Float32Array.from(values)));
const counting = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

describe('max-pool', () => {
  it('x=[1,1,4,5] k=2 s=2: the last column is dropped', () => {
    const y = maxPool(image([1, 1, 4, 5], counting(20)), { kernelSize: 2, stride: 2, padding: 0 });
    expect(y.shape).toEqual({ n: 1, h: 2, w: 2, c: 1 });
    expect([...y.data]).toEqual([7, 9, 17, 19]);
  });

  it('x=[1,1,5,5] k=3 s=2 p=1 of negative values: the padding never wins', () => {
    const y = maxPool(image([1, 1, 5, 5], counting(25).map((i) => -i)), { kernelSize: 3, stride: 2, padding: 1 });
    // Windows start at rows and columns -1, 1, 3; the largest is the top left pixel that is inside.
    expect([...y.data]).toEqual([-1, -2, -4, -6, -7, -9, -16, -17, -19]);
  });

  it('x=[2,2,2,2] k=2 s=1: channels and images apart', () => {
    const values = [1, 9, 3, 4, 5, 6, 7, 8, -1, -2, -3, -4, 0, 0, 0, 0.5];
    const y = maxPool(image([2, 2, 2, 2], values), { kernelSize: 2, stride: 1, padding: 0 });
    expect([...y.data]).toEqual([9, 8, -1, 0.5]);
  });

  it('a NaN wins, wherever it is in the window', () => {
    for (let at = 0; at < 4; at++) {
      const values = [1, 2, 3, 4];
      values[at] = NaN;
      expect([...maxPool(image([1, 1, 2, 2], values), { kernelSize: 2, stride: 2, padding: 0 }).data]).toEqual([NaN]);
    }
  });
});

describe('avg-pool', () => {
  it('x=[1,2,2,3] to 1x1: the mean of each channel', () => {
    expect([...avgPool(image([1, 2, 2, 3], counting(12)), 1, 1).data]).toEqual([3.5, 9.5]);
  });

  it('x=[1,1,1,5] to 1x3: regions [0,2) [1,4) [3,5) overlap', () => {
    const y = avgPool(image([1, 1, 1, 5], [1, 2, 4, 8, 16]), 1, 3);
    expect([...y.data]).toEqual([1.5, 14 / 3, 12]);
  });

  it('x=[1,1,2,2] to 3x3: more pixels out than in', () => {
    // Regions [0,1) [0,2) [1,2) on both axes of 1 2 / 3 4.
    expect([...avgPool(image([1, 1, 2, 2], [1, 2, 3, 4]), 3, 3).data]).toEqual([1, 1.5, 2, 2, 2.5, 3, 3, 3.5, 4]);
  });

  it('x=[1,1,3,3] to 7x7, as in a VGG on small images: every output lies in its torch region', () => {
    const y = avgPool(image([1, 1, 3, 3], counting(9)), 7, 7);
    // Rows of 3 / 7: floor(3 i / 7) up to ceil(3 (i + 1) / 7) = [0,1) [0,1) [0,2) [1,2) [1,3) [2,3) [2,3).
    const centre = [0, 0, 0.5, 1, 1.5, 2, 2];
    expect([...y.data]).toEqual(centre.flatMap((row) => centre.map((column) => 1 + 3 * row + column)));
  });

  it('to its own size: nothing changes', () => {
    const x = image([2, 3, 2, 5], counting(60));
    expect(avgPool(x, 2, 5)).toEqual(x);
  });
});

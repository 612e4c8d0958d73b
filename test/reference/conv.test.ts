/** Reference convolutions and the linear layer on cases small enough to work out by hand. */
import { describe, expect, it } from 'vitest';
import { fromTensor, toTensor } from '../../src/reference/activation.ts';
import { conv2d } from '../../src/reference/conv2d.ts';
import { depthwiseConv2d } from '../../src/reference/depthwise-conv2d.ts';
import { linear } from '../../src/reference/linear.ts';
import { tensor } from '../../src/tensor/tensor.ts';

const t = (shape: number[], values: number[]) => tensor(shape, Float32Array.from(values));
const image = (shape: number[], values: number[]) => fromTensor(t(shape, values));
/** 1, 2, ..., count */
const counting = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
const values = (activation: Parameters<typeof toTensor>[0]) => [...toTensor(activation).data];

/** 1 2 3 / 4 5 6 / 7 8 9 */
const square = image([1, 1, 3, 3], counting(9));
/** Distinct powers of ten: every digit of a sum tells which tap was read. */
const taps = t([1, 1, 3, 3], [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8]);

describe('conv2d', () => {
  it('x=[1,1,3,3] w=[1,1,3,3]: cross-correlation, the filter is not flipped', () => {
    expect(values(conv2d(square, { weight: taps }, { stride: 1, padding: 0 }))).toEqual([987654321].map(Math.fround));
  });

  it('x=[1,1,3,3] w=[1,1,3,3] p=1: zeros outside the image', () => {
    const y = conv2d(square, { weight: taps }, { stride: 1, padding: 1 });
    expect(y.shape).toEqual({ n: 1, h: 3, w: 3, c: 1 });
    // Top left sees 1 2 / 4 5 at the four taps of the filter's lower right; bottom right 5 6 / 8 9 at its upper left.
    expect(y.data[0]).toBe(1e4 * 1 + 1e5 * 2 + 1e7 * 4 + 1e8 * 5);
    expect(y.data[8]).toBe(1e0 * 5 + 1e1 * 6 + 1e3 * 8 + 1e4 * 9);
    expect(y.data[4]).toBe(987654321);
  });

  it('x=[1,1,4,5] w=[1,1,2,2] s=2: the last column is not reached', () => {
    // Windows start at rows 0, 2 and columns 0, 2; sums of 1 2 / 6 7, 3 4 / 8 9, 11 12 / 16 17, 13 14 / 18 19.
    const x = image([1, 1, 4, 5], counting(20));
    const y = conv2d(x, { weight: t([1, 1, 2, 2], [1, 1, 1, 1]) }, { stride: 2, padding: 0 });
    expect(y.shape).toEqual({ n: 1, h: 2, w: 2, c: 1 });
    expect([...y.data]).toEqual([16, 24, 56, 64]);
  });

  it('x=[1,1,3,3] w=[1,1,3,3] s=2 p=1: the four corners', () => {
    const y = conv2d(square, { weight: t([1, 1, 3, 3], Array(9).fill(1)) }, { stride: 2, padding: 1 });
    expect([...y.data]).toEqual([1 + 2 + 4 + 5, 2 + 3 + 5 + 6, 4 + 5 + 7 + 8, 5 + 6 + 8 + 9]);
  });

  it('x=[2,3,1,1] w=[2,3,1,1] with bias: a matrix product per image', () => {
    // [[1 2 3], [4 5 6]] times [1 2 3] and [4 5 6], plus 10, 20.
    const y = conv2d(
      image([2, 3, 1, 1], [1, 2, 3, 4, 5, 6]),
      { weight: t([2, 3, 1, 1], counting(6)), bias: t([2], [10, 20]) },
      { stride: 1, padding: 0 },
    );
    expect(toTensor(y).shape).toEqual([2, 2]);
    expect(values(y)).toEqual([24, 52, 42, 97]);
  });

  it('x=[1,4,1,2] w=[4,2,1,1] groups=2: outputs 0, 1 see inputs 0, 1; outputs 2, 3 see inputs 2, 3', () => {
    const y = conv2d(
      image([1, 4, 1, 2], [1, 2, 10, 20, 100, 200, 1000, 2000]),
      { weight: t([4, 2, 1, 1], counting(8)) },
      { stride: 1, padding: 0, groups: 2 },
    );
    expect(values(y)).toEqual([21, 42, 43, 86, 6500, 13000, 8700, 17400]);
  });

  it('x=[1,6,2,2] groups=3 equals three convolutions of two channels each', () => {
    const x = counting(24).map((i) => Math.sin(i));
    const w = counting(9 * 2 * 9).map((i) => Math.cos(i));
    const y = conv2d(image([1, 6, 2, 2], x), { weight: t([9, 2, 3, 3], w) }, { stride: 1, padding: 1, groups: 3 });
    const parts = [0, 1, 2].flatMap((group) => {
      const part = image([1, 2, 2, 2], x.slice(group * 8, group * 8 + 8));
      const weight = t([3, 2, 3, 3], w.slice(group * 54, group * 54 + 54));
      return values(conv2d(part, { weight }, { stride: 1, padding: 1 }));
    });
    expect(values(y)).toEqual(parts);
  });

  it('accumulates in float64: 1e8 + 1 - 1e8 is 1', () => {
    const x = image([1, 3, 1, 1], [1e8, 1, 1e8]);
    const y = conv2d(x, { weight: t([1, 3, 1, 1], [1, 1, -1]) }, { stride: 1, padding: 0 });
    expect([...y.data]).toEqual([1]);
  });

  it('a NaN reaches exactly the pixels whose window holds it', () => {
    const x = image([1, 1, 3, 3], [NaN, 2, 3, 4, 5, 6, 7, 8, 9]);
    const y = conv2d(x, { weight: t([1, 1, 2, 2], [0, 1, 1, 1]) }, { stride: 1, padding: 0 });
    expect([...y.data]).toEqual([NaN, 14, 20, 23]);
  });
});

describe('depthwise-conv2d', () => {
  it('x=[1,3,2,2] w=[2,1,1,1]: one filter per channel, the third channel is not read', () => {
    const x = image([1, 3, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8, NaN, NaN, NaN, NaN]);
    const y = depthwiseConv2d(x, { weight: t([2, 1, 1, 1], [10, 100]) }, { stride: 1, padding: 0 });
    expect(values(y)).toEqual([10, 20, 30, 40, 500, 600, 700, 800]);
  });

  it('x=[1,3,3,3] w=[3,1,3,3] s=2 p=1 with bias equals conv2d with as many groups as channels', () => {
    const x = image([1, 3, 3, 3], counting(27).map((i) => i * i));
    const params = { weight: t([3, 1, 3, 3], counting(27)), bias: t([3], [0.5, -1, 2]) };
    const expected = conv2d(x, params, { stride: 2, padding: 1, groups: 3 });
    expect(depthwiseConv2d(x, params, { stride: 2, padding: 1 })).toEqual(expected);
  });
});

describe('linear', () => {
  it('x=[1,2,1,2] w=[2,4]: flattens in the order C, H, W', () => {
    // Flattened: channel 0's pixels 1, 2, then channel 1's 3, 4.
    const y = linear(image([1, 2, 1, 2], [1, 2, 3, 4]), {
      weight: t([2, 4], [1, 10, 100, 1000, 2, 20, 200, 2000]),
      bias: t([2], [0.5, 0.25]),
    });
    expect(y.shape).toEqual({ n: 1, h: 1, w: 1, c: 2 });
    expect([...y.data]).toEqual([4321.5, 8642.25]);
  });

  it('x=[2,3] w=[1,3]: a batch of vectors', () => {
    const y = linear(image([2, 3], [1, 2, 3, 4, 5, 6]), { weight: t([1, 3], [1, 1, 2]) });
    expect([...y.data]).toEqual([9, 21]);
  });
});

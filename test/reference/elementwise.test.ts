/** Reference ops that compute each element, or only move elements, on cases worked out by hand. */
import { describe, expect, it } from 'vitest';
import { fromTensor, toTensor } from '../../src/reference/activation.ts';
import { add } from '../../src/reference/add.ts';
import { batchNorm } from '../../src/reference/batch-norm.ts';
import { channelBias } from '../../src/reference/channel-bias.ts';
import { channelConcat } from '../../src/reference/channel-concat.ts';
import { channelShuffle } from '../../src/reference/channel-shuffle.ts';
import { channelSlice } from '../../src/reference/channel-slice.ts';
import { relu } from '../../src/reference/relu.ts';
import { softmax } from '../../src/reference/softmax.ts';
import { tensor } from '../../src/tensor/tensor.ts';

const t = (shape: number[], values: number[]) => tensor(shape, Float32Array.from(values));
const image = (shape: number[], values: number[]) => fromTensor(t(shape, values));

describe('activation', () => {
  it('holds NHWC and gives NCHW back', () => {
    const x = t([2, 3, 1, 2], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    const a = fromTensor(x);
    expect(a.shape).toEqual({ n: 2, h: 1, w: 2, c: 3 });
    expect([...a.data]).toEqual([1, 3, 5, 2, 4, 6, 7, 9, 11, 8, 10, 12]);
    expect(toTensor(a)).toEqual(x);
  });

  it('is [N, C] where it is one pixel', () => {
    expect(toTensor(image([2, 3, 1, 1], [1, 2, 3, 4, 5, 6]))).toEqual(t([2, 3], [1, 2, 3, 4, 5, 6]));
    expect(fromTensor(t([1, 2], [1, 2])).shape).toEqual({ n: 1, h: 1, w: 1, c: 2 });
  });

  it('refuses other ranks', () => {
    const cube = t([2, 2, 2], Array(8).fill(0));
    expect(() => fromTensor(cube)).toThrow(/must be \[N, C, H, W\] or \[N, C\], got \[2, 2, 2\]/);
  });
});

describe('batch-norm', () => {
  it('normalises, scales and shifts each channel', () => {
    const [weight, bias] = [t([2], [2, 10]), t([2], [1, -1])];
    const params = { weight, bias, runningMean: t([2], [3, 0]), runningVar: t([2], [3, 15]) };
    // Channel 0: (5 - 3) / sqrt(3 + 1) * 2 + 1 and (1 - 3) / 2 * 2 + 1.
    // Channel 1: 8 / sqrt(15 + 1) * 10 - 1 and -4 / 4 * 10 - 1.
    const y = batchNorm(image([1, 2, 1, 2], [5, 1, 8, -4]), params, 1);
    expect([...toTensor(y).data]).toEqual([3, -1, 19, -11]);
  });
});

describe('channel-bias', () => {
  it('adds one value per channel', () => {
    const y = channelBias(image([2, 2, 1, 2], [1, 2, 3, 4, 5, 6, 7, 8]), t([2], [10, 20]));
    expect([...toTensor(y).data]).toEqual([11, 12, 23, 24, 15, 16, 27, 28]);
  });
});

describe('relu', () => {
  it('keeps NaN and positive values, and gives 0 for negative ones', () => {
    const y = relu(image([1, 5], [-1, 2, NaN, -Infinity, Infinity]));
    expect([...y.data]).toEqual([0, 2, NaN, 0, Infinity]);
  });
});

describe('add', () => {
  it('adds element by element', () => {
    expect([...add(image([1, 3], [1, 2, NaN]), image([1, 3], [10, 20, 30])).data]).toEqual([11, 22, NaN]);
  });

  it('refuses two shapes', () => {
    expect(() => add(image([1, 3], [1, 2, 3]), image([3, 1], [1, 2, 3]))).toThrow(/differ in shape/);
  });
});

describe('channel-slice', () => {
  // Channel c of pixel (y, x) is 100 c + 10 y + x, on 3 x 5 pixels.
  const valueAt = (i: number) => 100 * Math.floor(i / 15) + 10 * (Math.floor(i / 5) % 3) + (i % 5);
  const x = image([1, 3, 3, 5], Array.from({ length: 45 }, (_, i) => valueAt(i)));

  it('takes channels [1, 3) at stride 1', () => {
    const y = channelSlice(x, { begin: 1, channels: 2, stride: 1 });
    expect([...toTensor(y).data]).toEqual([...toTensor(x).data].slice(15));
  });

  it('takes channel 2 at stride 2: the rows and columns 0, 2, 4', () => {
    const y = channelSlice(x, { begin: 2, channels: 1, stride: 2 });
    expect(y.shape).toEqual({ n: 1, h: 2, w: 3, c: 1 });
    expect([...y.data]).toEqual([200, 202, 204, 220, 222, 224]);
  });
});

describe('channel-concat', () => {
  it('puts the channels of the second input behind those of the first, pixel by pixel', () => {
    const y = channelConcat([image([2, 1, 1, 2], [1, 2, 3, 4]), image([2, 2, 1, 2], [10, 20, 30, 40, 50, 60, 70, 80])]);
    expect(y.shape).toEqual({ n: 2, h: 1, w: 2, c: 3 });
    expect([...toTensor(y).data]).toEqual([1, 2, 10, 20, 30, 40, 3, 4, 50, 60, 70, 80]);
  });

  it('refuses inputs of different sizes', () => {
    expect(() => channelConcat([image([1, 1, 1, 2], [1, 2]), image([1, 1, 2, 1], [1, 2])])).toThrow(/differ in pixels/);
  });
});

describe('channel-shuffle', () => {
  const x = image([2, 6], [0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15]);

  it.each([
    [1, [0, 1, 2, 3, 4, 5]],
    [2, [0, 3, 1, 4, 2, 5]],
    [3, [0, 2, 4, 1, 3, 5]],
    [6, [0, 1, 2, 3, 4, 5]],
  ])('g=%d: deals the groups out one channel at a time', (groups, expected) => {
    expect([...channelShuffle(x, groups).data]).toEqual([...expected, ...expected.map((channel) => channel + 10)]);
  });

  it('g and C / g undo each other', () => {
    expect(channelShuffle(channelShuffle(x, 2), 3)).toEqual(x);
  });
});

describe('softmax', () => {
  it('is e^x over the sum, per pixel', () => {
    const y = softmax(image([1, 2, 1, 2], [0, Math.log(2), Math.log(3), Math.log(2)]));
    const [a, b, c, d] = toTensor(y).data;
    // Pixel 0: 1 and 3 of 4; pixel 1: 2 and 2 of 4.
    for (const [got, want] of [[a, 0.25], [b, 0.5], [c, 0.75], [d, 0.5]]) expect(got).toBeCloseTo(want, 6);
  });

  it('does not overflow', () => {
    expect([...softmax(image([1, 2], [1000, 1000])).data]).toEqual([0.5, 0.5]);
    expect([...softmax(image([1, 2], [-1000, 0])).data]).toEqual([0, 1]);
  });

  it('a NaN makes its pixel NaN, and no other', () => {
    expect([...softmax(image([2, 2], [NaN, 1, 3, 3])).data]).toEqual([NaN, NaN, 0.5, 0.5]);
  });
});

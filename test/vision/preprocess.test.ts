/** The coordinates of the preprocessing, and that the CPU resampler which checks the GPU is torchvision's. */
import { vec2d } from 'wgpu-matrix';
import { describe, expect, it, test } from 'vitest';
import { IMAGENET_PREPROCESS } from '../../src/models/preprocess.ts';
import { isImageSource } from '../../src/vision/image-source.ts';
import {
  cropOffset,
  resizedSize,
  rowRange,
  shorterSide,
  targetToSource,
  type Mapping,
} from '../../src/vision/preprocess.ts';
import { readPhoto, readResized, resizeCases } from '../support/resize-fixtures.ts';
import { mirror, resizeAndCrop, toChannels } from '../support/resize-reference.ts';

describe('resizedSize', () => {
  it.each([
    [{ width: 451, height: 300 }, 256, { width: 384, height: 256 }], // 384.85
    [{ width: 300, height: 451 }, 256, { width: 256, height: 384 }],
    [{ width: 7, height: 7 }, 5, { width: 5, height: 5 }],
    [{ width: 3, height: 2 }, 3, { width: 4, height: 3 }], // 4.5
    [{ width: 1, height: 1000 }, 2, { width: 2, height: 2000 }],
  ])('%o to %i', (source, shorter, expected) => expect(resizedSize(source, shorter)).toEqual(expected));
});

describe('cropOffset', () => {
  it.each([
    [256, 224, 16],
    [64, 56, 4],
    [65, 56, 4], // 4.5 to even
    [67, 56, 6], // 5.5 to even
    [97, 56, 20], // 20.5 to even
    [57, 56, 0], // 0.5 to even
    [56, 56, 0],
    [50, 56, -3],
    [51, 56, -2], // 5 missing: 2 before, 3 behind
  ])('of %i for a crop of %i is %i', (side, crop, expected) => expect(cropOffset(side, crop)).toBe(expected));
});

describe('shorterSide', () => {
  it("is the model's size at its own crop, and in proportion elsewhere", () => {
    const target = (height: number, width: number) => ({ width, height });
    expect(shorterSide(IMAGENET_PREPROCESS, target(224, 224))).toBe(256);
    expect(shorterSide(IMAGENET_PREPROCESS, target(448, 448))).toBe(512);
    expect(shorterSide(IMAGENET_PREPROCESS, target(97, 65))).toBe(74); // 74.29
    expect(shorterSide({ ...IMAGENET_PREPROCESS, size: 28, crop: undefined }, target(28, 28))).toBe(28);
    expect(shorterSide({ ...IMAGENET_PREPROCESS, size: 1 }, target(1, 1))).toBe(1);
  });
});

describe('targetToSource', () => {
  const mapping: Mapping = { source: { width: 400, height: 200 }, target: { width: 40, height: 40 }, shorter: 50 };
  const map = (m: Mapping, x: number, y: number) => [...vec2d.transformMat3([x, y], targetToSource(m))];

  it('undoes the crop, then the resize', () => {
    // Resized to 100 x 50, a quarter; the crop begins at (30, 5).
    expect(map(mapping, 0, 0)).toEqual([120, 20]);
    expect(map(mapping, 40, 40)).toEqual([280, 180]);
    expect(map(mapping, 0.5, 0.5)).toEqual([122, 22]);
  });

  it('mirrors about the middle of the target', () => {
    expect(map({ ...mapping, flip: true }, 0, 0)).toEqual([280, 20]);
    expect(map({ ...mapping, flip: true }, 40, 40)).toEqual([120, 180]);
  });

  it('scales x and y apart where the longer side is rounded down', () => {
    const m = targetToSource({
      source: { width: 451, height: 300 },
      target: { width: 224, height: 224 },
      shorter: 256,
    });
    expect([m[0], m[5]]).toEqual([451 / 384, 300 / 256]);
  });

  it('leads outside the source where the crop is larger than the image', () => {
    const small: Mapping = { source: { width: 4, height: 4 }, target: { width: 7, height: 7 }, shorter: 4 };
    expect(map(small, 0, 0)).toEqual([-1, -1]);
    expect(map(small, 7, 7)).toEqual([6, 6]);
  });

  it('has the column padding of WGSL', () => {
    const m = targetToSource(mapping);
    expect(m.length).toBe(12);
    expect([m[0], m[5], m[8], m[9], m[10]]).toEqual([4, 4, 120, 20, 1]);
  });
});

describe('rowRange', () => {
  const range = (mapping: Mapping) => rowRange(mapping, targetToSource(mapping));

  it('holds the rows of the crop and what the triangle reaches, no others', () => {
    // Rows 20 to 180, a reach of 4 around the centres at 22 and 178, and one more.
    const mapping = { source: { width: 400, height: 200 }, target: { width: 40, height: 40 }, shorter: 50 };
    expect(range(mapping)).toEqual({ firstRow: 17, rows: 183 - 17 });
  });

  it('stays inside the image', () => {
    expect(range({ source: { width: 1, height: 1 }, target: { width: 9, height: 9 }, shorter: 5 })).toEqual({
      firstRow: 0,
      rows: 1,
    });
    const padded = { source: { width: 4, height: 4 }, target: { width: 7, height: 7 }, shorter: 4 };
    expect(range(padded)).toEqual({ firstRow: 0, rows: 4 });
  });
});

describe('the CPU resampler', () => {
  test.each(resizeCases)('is torchvision, bit for bit: $file', async (example) => {
    const { resize, crop, color } = example;
    const [photo, expected] = [await readPhoto(), await readResized(example)];
    const actual = resizeAndCrop(toChannels(photo, color), resize, crop);
    expect(actual.data.length).toBe(expected.length);
    expect(Buffer.compare(actual.data, expected)).toBe(0);
  });

  it('gives what one computes by hand', () => {
    const gray = (width: number, height: number, ...data: number[]) => ({
      width,
      height,
      channels: 1,
      data: Uint8Array.from(data),
    });
    // Halving: weights 3/8, 3/8, 1/8 of the taps inside, made to sum to 1: (3 a + 3 b + c) / 7.
    expect([...resizeAndCrop(gray(4, 2, 0, 70, 140, 210, 0, 70, 140, 210), 1, { width: 2, height: 1 }).data]).toEqual([
      50, 160,
    ]);
    // Doubling: quarters and three quarters between the pixels, and the pixels themselves beyond the outer centres.
    expect([...resizeAndCrop(gray(2, 1, 0, 100), 2, { width: 4, height: 2 }).data]).toEqual([
      0, 25, 75, 100, 0, 25, 75, 100,
    ]);
    expect([...resizeAndCrop(gray(1, 1, 9), 1, 4).data]).toEqual([0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect([...mirror(gray(2, 2, 1, 2, 3, 4)).data]).toEqual([2, 1, 4, 3]);
    expect(
      toChannels({ width: 2, height: 1, data: Uint8Array.of(255, 255, 255, 0, 10, 20, 30, 255) }, 'gray').data,
    ).toEqual(Uint8Array.of(255, 18));
  });
});

describe('isImageSource, where there is no DOM', () => {
  const data = new Uint8Array(4);
  it.each([
    [true, { width: 1, height: 1, data }],
    [true, { width: 1, height: 1, data: Buffer.from(data) }],
    [true, { width: 1, height: 1, data: new Uint8ClampedArray(4), colorSpace: 'srgb' }],
    [true, new Blob([data])],
    [false, { width: 1, height: 1, data: [0, 0, 0, 0] }],
    [false, { width: 1, height: 1, data: new Float32Array(4) }],
    [false, { shape: [1, 3, 1, 1], data: new Float32Array(3) }],
    [false, data],
    [false, 'photo.jpg'],
    [false, null],
    [false, undefined],
  ])('%s for %o', (expected, value) => expect(isImageSource(value)).toBe(expected));
});

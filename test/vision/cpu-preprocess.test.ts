/** The preprocessing on the processor, against torchvision's own results and, on odd shapes, Pillow's rules. */
import { beforeAll, describe, expect, it, test } from 'vitest';
import { IMAGENET_PREPROCESS, type Preprocess } from '../../src/models/preprocess.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { preprocessOnCpu } from '../../src/vision/cpu-preprocess.ts';
import type { RawImage } from '../../src/vision/image-source.ts';
import { awkwardResizes, readPhoto, readResized, resizeCases } from '../support/resize-fixtures.ts';
import { mirror, resizeAndCrop, toChannels } from '../support/resize-reference.ts';
import { noise, plain } from '../support/run-preprocessor.ts';

let photo: RawImage;
beforeAll(async () => {
  photo = await readPhoto();
});

/** Interleaved levels of the image at `index` of the batch. */
function levelsOf({ shape, data }: Tensor, index = 0): Float64Array {
  const [, c, h, w] = shape;
  const levels = new Float64Array(c * h * w);
  for (let i = 0; i < levels.length; i++) levels[i] = data[index * levels.length + (i % c) * h * w + Math.floor(i / c)] * 255;
  return levels;
}

/** Where a sum ends in .5, ours and Pillow's fixed point can round it apart: in few levels, by one. */
function expectLevels(actual: Float64Array, expected: Uint8Array): void {
  expect(actual.length).toBe(expected.length);
  const apart = actual.map((level, i) => Math.abs(level - expected[i]));
  expect(apart.reduce((most, difference) => Math.max(most, difference), 0)).toBeLessThan(1.001);
  expect(apart.filter((difference) => difference > 0.001).length).toBeLessThanOrEqual(Math.max(2, 0.02 * apart.length));
}

describe("torchvision's results on a photo", () => {
  test.each(resizeCases)('$file', async (example) => {
    const { resize, crop, color } = example;
    const actual = preprocessOnCpu([photo], plain(resize, crop, color), { width: crop, height: crop });
    expect(actual.shape).toEqual([1, color === 'gray' ? 1 : 3, crop, crop]);
    expectLevels(levelsOf(actual), await readResized(example));
  });
});

describe('other shapes, as Pillow would', () => {
  it.each(awkwardResizes)('%s', (_name, image, size, height, width) => {
    for (const color of ['rgb', 'gray'] as const) {
      const expected = resizeAndCrop(toChannels(image, color), size, { width, height });
      const preprocess = plain(size, Math.min(height, width), color);
      expectLevels(levelsOf(preprocessOnCpu([image], preprocess, { width, height })), expected.data);
      expectLevels(levelsOf(preprocessOnCpu([image], preprocess, { width, height }, { flip: true })), mirror(expected).data);
    }
  });
});

it('normalises as Normalize(mean, std)', () => {
  const { mean, std, size, crop } = IMAGENET_PREPROCESS;
  const { data } = preprocessOnCpu([photo], IMAGENET_PREPROCESS, { width: 224, height: 224 });
  const levels = levelsOf(preprocessOnCpu([photo], plain(size, crop!), { width: 224, height: 224 }));
  data.forEach((value, i) => {
    const channel = Math.floor(i / 224 ** 2);
    const expected = (levels[(i % 224 ** 2) * 3 + channel] / 255 - mean[channel]) / std[channel];
    if (!(Math.abs(value - expected) < 1e-5)) expect.fail(`at ${i}: got ${value}, expected ${expected}`);
  });
});

it('puts the images of a batch, of different sizes, into their slots', () => {
  const images = [noise(40, 30, 2), noise(9, 60, 3), photo];
  const batch = preprocessOnCpu(images, plain(16, 14), { width: 14, height: 14 });
  expect(batch.shape).toEqual([3, 3, 14, 14]);
  images.forEach((image, i) => expect(levelsOf(batch, i)).toEqual(levelsOf(preprocessOnCpu([image], plain(16, 14), { width: 14, height: 14 }))));
});

describe('what cannot be used', () => {
  const image = noise(2, 2);
  const cases: [string, RawImage, Preprocess, RegExp][] = [
    ['no pixels', { ...image, width: 0 }, plain(2, 2), /got 0 x 2 pixels; its width and height must be positive integers/],
    ['RGB bytes', { ...image, data: new Uint8Array(12) }, plain(2, 2), /are 16 bytes of RGBA \(4 a pixel\), got 12; add an alpha byte/],
    ['a std of 0', image, { ...plain(2, 2), std: [1, 0, 1] }, /std must be 3 number\(s\)/],
  ];
  it.each(cases)('%s', (_name, source, preprocess, message) => {
    expect(() => preprocessOnCpu([source], preprocess, { width: 2, height: 2 })).toThrow(message);
  });
});

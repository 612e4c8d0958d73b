/** Images through the GPU's preprocessing, against torchvision's own results and, on odd shapes, Pillow's rules. */
import { beforeAll, describe, expect, it, test } from 'vitest';
import { IMAGENET_PREPROCESS, type Preprocess } from '../../src/models/preprocess.ts';
import type { ImageShape } from '../../src/tensor/image-shape.ts';
import { ImagePreprocessor, type PrepareOptions } from '../../src/vision/image-preprocessor.ts';
import type { ImageSource, RawImage } from '../../src/vision/image-source.ts';
import { noise, plain, runPreprocessor, square } from '../support/run-preprocessor.ts';
import { expectClose } from '../support/compare.ts';
import { useGpu } from '../support/gpu.ts';
import { awkwardResizes, readPhoto, readResized, resizeCases } from '../support/resize-fixtures.ts';
import { mirror, resizeAndCrop, toChannels, type ByteImage } from '../support/resize-reference.ts';

const gpu = useGpu();
let preprocessor: ImagePreprocessor;
let photo: RawImage;

beforeAll(async () => {
  preprocessor = await ImagePreprocessor.create(gpu.engine.device);
  photo = await readPhoto();
});

/** Four lanes a pixel. */
const run = (images: readonly ImageSource[], preprocess: Preprocess, shape: ImageShape, options?: PrepareOptions) =>
  runPreprocessor(gpu.engine.device, preprocessor, images, preprocess, shape, options);

/** Levels 0..255 without the padding lanes, which must hold 0. */
function levelsOf(values: Float32Array, channels: number): Float64Array {
  const levels = new Float64Array((values.length / 4) * channels);
  values.forEach((value, i) => {
    const lane = i % 4;
    if (lane < channels) levels[Math.floor(i / 4) * channels + lane] = value * 255;
    else if (value !== 0) expect.fail(`padding lane ${lane} of pixel ${Math.floor(i / 4)} holds ${value}`);
  });
  return levels;
}

/** Mean and largest absolute difference in levels; NaN anywhere gives NaN. */
function compare(actual: Float64Array, expected: Uint8Array): { mean: number; max: number } {
  expect(actual.length).toBe(expected.length);
  const errors = actual.map((value, i) => Math.abs(value - expected[i]));
  return { mean: errors.reduce((a, b) => a + b, 0) / errors.length, max: errors.reduce((a, b) => Math.max(a, b), 0) };
}

/** Where a sum ends in .5, float32 and Pillow's fixed point can round it apart: in few pixels, by one. */
function expectLevels(values: Float32Array, expected: ByteImage): void {
  const levels = levelsOf(values, expected.channels);
  const { max } = compare(levels, expected.data);
  expect(max).toBeLessThan(1.001);
  const apart = levels.filter((value, i) => Math.abs(value - expected.data[i]) > 0.001).length;
  expect(apart).toBeLessThanOrEqual(Math.max(2, 0.02 * levels.length));
}

describe("torchvision's results on a photo", () => {
  test.each(resizeCases)('$file', async (example) => {
    const { file, resize, crop, color } = example;
    const expected = await readResized(example);
    const channels = color === 'gray' ? 1 : 3;
    const levels = levelsOf(await run([photo], plain(resize, crop, color), square(crop, channels)), channels);
    const { mean, max } = compare(levels, expected);
    console.log(`${file}: mean difference ${mean.toExponential(2)} / 255, largest ${max.toFixed(3)} / 255`);
    expect(mean).toBeLessThan(0.01);
    expect(max).toBeLessThan(1.001);
  });

  it('normalises them as Normalize(mean, std)', async () => {
    const { mean, std } = IMAGENET_PREPROCESS;
    const values = await run([photo], IMAGENET_PREPROCESS, square(224, 3));
    const { data } = resizeAndCrop(toChannels(photo, 'rgb'), 256, 224);
    const expected = Float32Array.from(values, (_, i) =>
      i % 4 === 3 ? 0 : (data[Math.floor(i / 4) * 3 + (i % 4)] / 255 - mean[i % 4]) / std[i % 4],
    );
    // Half a level in a few pixels, next to a spread of 60 levels.
    expectClose(values, expected, { relativeL2: 1e-3 });
    expect(values.every((value, i) => i % 4 !== 3 || value === 0)).toBe(true);
  });
});

describe('other shapes, as Pillow would', () => {
  it.each(awkwardResizes)('%s', async (_name, image, size, h, w) => {
    for (const color of ['rgb', 'gray'] as const) {
      const shape = { n: 1, h, w, c: color === 'gray' ? 1 : 3 };
      const preprocess = plain(size, Math.min(h, w), color);
      expectLevels(
        await run([image], preprocess, shape),
        resizeAndCrop(toChannels(image, color), size, { width: w, height: h }),
      );
      const flipped = mirror(resizeAndCrop(toChannels(image, color), size, { width: w, height: h }));
      expectLevels(await run([image], preprocess, shape, { flip: true }), flipped);
    }
  });

  it('a target that is no square, and not of the size of the crop', async () => {
    // size 32 for a crop of 28: for 42 x 14 the shorter side becomes 16.
    const values = await run([photo], plain(32, 28), { n: 1, h: 42, w: 14, c: 3 });
    expectLevels(values, resizeAndCrop(toChannels(photo, 'rgb'), 16, { width: 14, height: 42 }));
  });

  it('ignores alpha', async () => {
    const image = noise(20, 20);
    const opaque = { ...image, data: image.data.map((value, i) => (i % 4 === 3 ? 255 : value)) };
    expect(await run([image], plain(8, 8), square(8, 3))).toEqual(await run([opaque], plain(8, 8), square(8, 3)));
  });
});

it('puts the images of a batch, of different sizes, into their slots', async () => {
  const images = [noise(40, 30, 2), noise(9, 60, 3), photo];
  const batch = await run(images, plain(16, 14), square(14, 3, 3));
  for (const [i, image] of images.entries()) {
    const slot = batch.subarray(i * 14 * 14 * 4, (i + 1) * 14 * 14 * 4);
    expectLevels(slot, resizeAndCrop(toChannels(image, 'rgb'), 16, 14));
    expect(slot).toEqual(await run([image], plain(16, 14), square(14, 3)));
  }
});

it('takes views into larger buffers, and clamped bytes', async () => {
  const image = noise(5, 4);
  const bytes = new Uint8ClampedArray(200).fill(7);
  bytes.set(image.data, 33);
  const view = { ...image, data: bytes.subarray(33, 33 + 80) };
  expect(await run([view], plain(4, 4), square(4, 3))).toEqual(await run([image], plain(4, 4), square(4, 3)));
});

it('records again, for another submit', async () => {
  const { device } = gpu.engine;
  const target = device.createBuffer({ size: 64, usage: GPUBufferUsage.STORAGE });
  const prepared = await preprocessor.prepare([noise(3, 3)], plain(2, 2), square(2, 3), target);
  device.pushErrorScope('validation');
  for (let i = 0; i < 2; i++) {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    prepared.record(pass);
    pass.end();
    device.queue.submit([encoder.finish()]);
  }
  prepared.release();
  prepared.release();
  expect(await device.popErrorScope()).toBe(null);
  target.destroy();
});

describe('what cannot be used', () => {
  const bad = (image: unknown) => image as ImageSource;
  const image = noise(2, 2);

  it.each([
    ['no pixels', [bad({ width: 0, height: 2, data: new Uint8Array() })], /got 0 x 2 pixels/],
    ['a fraction of a pixel', [bad({ ...image, width: 1.5 })], /got 1.5 x 2 pixels/],
    [
      'RGB bytes',
      [bad({ ...image, data: new Uint8Array(12) })],
      /are 16 bytes of RGBA \(4 a pixel\), got 12; add an alpha byte/,
    ],
    ['too many bytes', [bad({ ...image, data: new Uint8Array(17) })], /got 17$/],
    [
      'too wide an image',
      [bad({ width: 20000, height: 1, data: new Uint8Array(80000) })],
      /more than this device's \d+ on a side: resize/,
    ],
    [
      'a Blob where nothing decodes',
      [new Blob(['x'])],
      /cannot be decoded here: decode it yourself and pass \{ width, height, data \}/,
    ],
    ['one image too many', [image, image], /needs 1 image\(s\), got 2/],
    ['no image', [], /needs 1 image\(s\), got 0/],
  ])('%s', async (_name, images, message) => {
    await expect(run(images, plain(2, 2), square(2, 3))).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringMatching(message),
    });
  });

  it('says which image of a batch, and frees the others', async () => {
    const live = new Set<string>();
    const device = countingDevice(gpu.engine.device, live);
    const counting = await ImagePreprocessor.create(device);
    const target = gpu.engine.device.createBuffer({ size: 3 * 64, usage: GPUBufferUsage.STORAGE });
    const broken = bad({ ...image, data: new Uint8Array(3) });
    const failed = counting.prepare([image, broken, image], plain(2, 2), square(2, 3, 3), target);
    await expect(failed).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringMatching(/^image 1 of 3: 2 x 2 pixels/),
    });
    expect(live.size).toBe(0);

    const prepared = await counting.prepare([image], plain(2, 2), square(2, 3), target);
    expect(live.size).toBe(3); // texture, rows, sizes
    const late = counting.prepare([image], plain(2, 2), square(2, 3), target);
    counting.destroy();
    await expect(late).rejects.toMatchObject({ code: 'disposed' });
    await expect(counting.prepare([image], plain(2, 2), square(2, 3), target)).rejects.toMatchObject({
      code: 'disposed',
    });
    expect(live.size).toBe(0);
    prepared.release();
    target.destroy();
  });

  it('channels and statistics that do not fit', async () => {
    const target = gpu.engine.device.createBuffer({ size: 64, usage: GPUBufferUsage.STORAGE });
    const prepare = (preprocess: Preprocess, c: number, side = 2) =>
      preprocessor.prepare([image], preprocess, square(side, c), target);
    await expect(prepare(plain(2, 2, 'gray'), 3)).rejects.toThrow(
      /gives 1 channel\(s\) \("gray"\), the network takes 3/,
    );
    await expect(prepare({ ...plain(2, 2), std: [1, 0, 1] }, 3)).rejects.toThrow(
      /std must be 3 number\(s\) for rgb, none 0, got \[1, 0, 1\]/,
    );
    await expect(prepare({ ...plain(2, 2), mean: [0] }, 3)).rejects.toThrow(
      /mean must be 3 number\(s\) for rgb, got \[0\]/,
    );
    await expect(prepare(plain(2.5, 2), 3)).rejects.toThrow(/size must be a positive integer, got 2.5/);
    await expect(prepare(plain(4, 4), 3, 4)).rejects.toThrow(/the target needs 256 bytes, got 64/);
    target.destroy();
  });
});

/** The device, with a note of what was created and not destroyed yet. */
function countingDevice(device: GPUDevice, live: Set<string>): GPUDevice {
  let count = 0;
  return new Proxy(device, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (typeof value !== 'function') return value;
      if (key !== 'createBuffer' && key !== 'createTexture') return value.bind(target);
      return (descriptor: object) => {
        const resource = (value as (d: object) => GPUBuffer | GPUTexture).call(target, descriptor);
        const name = `${key} ${count++}`;
        live.add(name);
        const destroy = resource.destroy.bind(resource);
        Object.defineProperty(resource, 'destroy', { value: () => void (live.delete(name), destroy()) });
        return resource;
      };
    },
  });
}

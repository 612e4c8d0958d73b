/** Textures of the caller's as images: of every format they become what the same bytes become. */
import { beforeAll, describe, expect, it, test } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import { f32ToF16 } from '../../src/weights/half.ts';
import { ImagePreprocessor } from '../../src/vision/image-preprocessor.ts';
import { isImageSource } from '../../src/vision/image-source.ts';
import { useGpu } from '../support/gpu.ts';
import { noise, plain, runPreprocessor, square } from '../support/run-preprocessor.ts';

const gpu = useGpu();
const image = noise(37, 23);
const levels = Float32Array.from(image.data, (level) => level / 255);
let preprocessor: ImagePreprocessor;
let expected: Float32Array;

const run = (source: GPUTexture | typeof image, color: 'rgb' | 'gray' = 'rgb', flip = false) =>
  runPreprocessor(gpu.engine.device, preprocessor, [source], plain(19, 16, color), square(16, color === 'gray' ? 1 : 3), { flip });

beforeAll(async () => {
  preprocessor = await ImagePreprocessor.create(gpu.engine.device);
  expected = await run(image);
  expect(expected.filter((x) => x > 0).length).toBeGreaterThan(700);
});

/** A texture of the image's size. */
function textureOf(format: GPUTextureFormat, data: Uint8Array | Uint16Array | Uint32Array | Float32Array, more: Partial<GPUTextureDescriptor> = {}): GPUTexture {
  const { device } = gpu.engine;
  const { width, height } = image;
  const texture = device.createTexture({ format, size: { width, height }, usage: GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST, ...more });
  const bytes = data as Uint8Array<ArrayBuffer>;
  device.queue.writeTexture({ texture }, bytes, { bytesPerRow: data.byteLength / height }, { width, height });
  return texture;
}

function bgra(): Uint8Array {
  return Uint8Array.from(image.data, (_, i) => image.data[i % 4 === 3 ? i : i - (i % 4) + (2 - (i % 4))]);
}

/** 10 bits a channel. */
function packed(): Uint32Array {
  return Uint32Array.from({ length: levels.length / 4 }, (_, i) =>
    [0, 1, 2].reduce((word, c) => word | (Math.round(levels[4 * i + c] * 1023) << (10 * c)), 0),
  );
}

describe('the same tensor as from the plain bytes', () => {
  const exact: [GPUTextureFormat, () => Uint8Array][] = [
    ['rgba8unorm', () => image.data as Uint8Array],
    ['bgra8unorm', bgra],
    // A load gives light; the network is to see the stored levels.
    ['rgba8unorm-srgb', () => image.data as Uint8Array],
    ['bgra8unorm-srgb', bgra],
  ];
  it.each(exact)('to the bit: %s', async (format, data) => {
    const texture = textureOf(format, data());
    expect(isImageSource(texture)).toBe(true);
    expect(await run(texture)).toEqual(expected);
    for (const flip of [false, true]) expect(await run(texture, 'gray', flip)).toEqual(await run(image, 'gray', flip));
    texture.destroy();
  });

  const near: [GPUTextureFormat, () => Uint16Array | Uint32Array | Float32Array][] = [
    ['rgba16float', () => f32ToF16(levels)],
    ['rgba32float', () => levels],
    ['rgb10a2unorm', packed],
  ];
  // They hold a level to an eighth of one, so that each of both passes may round to the next.
  it.each(near)('to one level: %s', async (format, data) => {
    const texture = textureOf(format, data());
    const values = await run(texture);
    const apart = values.map((value, i) => Math.abs(value - expected[i]) * 255);
    expect(Math.max(...apart)).toBeLessThan(1.001);
    expect(apart.filter((difference) => difference > 0.001).length).toBeLessThan(0.15 * apart.length);
    texture.destroy();
  });

  it('with mipmaps, of which the first counts', async () => {
    const texture = textureOf('rgba8unorm', image.data as Uint8Array, { mipLevelCount: 3 });
    expect(await run(texture)).toEqual(expected);
    texture.destroy();
  });
});

it('clamps what is outside 0..1', async () => {
  const wild = levels.map((level) => 3 * level - 1);
  const texture = textureOf('rgba32float', wild);
  const clamped = textureOf('rgba32float', wild.map((level) => Math.min(1, Math.max(0, level))));
  expect(await run(texture)).toEqual(await run(clamped));
  texture.destroy();
  clamped.destroy();
});

it('never destroys a texture, and takes it again', async () => {
  const texture = textureOf('rgba8unorm', image.data as Uint8Array);
  let destroyed = 0;
  const { destroy } = texture;
  Object.defineProperty(texture, 'destroy', { value: () => void destroyed++ });
  for (let i = 0; i < 2; i++) expect(await run(texture)).toEqual(expected);
  expect(destroyed).toBe(0);
  destroy.call(texture);
});

describe('what cannot be used', () => {
  const size = { width: 4, height: 4 };
  const usage = () => GPUTextureUsage.TEXTURE_BINDING;
  const cases: [string, () => GPUTextureDescriptor, RegExp][] = [
    ['another usage', () => ({ size, format: 'rgba8unorm', usage: GPUTextureUsage.COPY_DST, label: 'frame' }), /the GPUTexture "frame" cannot be read by kernels/],
    ['one channel', () => ({ size, format: 'r8unorm', usage: usage() }), /the GPUTexture has the format r8unorm; known are rgba8unorm, /],
    ['integers', () => ({ size, format: 'rgba8uint', usage: usage() }), /has the format rgba8uint/],
    ['depth', () => ({ size, format: 'depth32float', usage: usage() }), /has the format depth32float/],
    ['three dimensions', () => ({ size, format: 'rgba8unorm', usage: usage(), dimension: '3d' }), /must be 2d with one layer, got 3d with 1/],
    ['layers', () => ({ size: { ...size, depthOrArrayLayers: 2 }, format: 'rgba8unorm', usage: usage() }), /got 2d with 2; copy a layer/],
    [
      'samples',
      () => ({ size, format: 'rgba8unorm', usage: usage() | GPUTextureUsage.RENDER_ATTACHMENT, sampleCount: 4 }),
      /has 4 samples a pixel: resolve it/,
    ],
  ];
  test.each(cases)('%s', async (_name, descriptor, message) => {
    const texture = gpu.engine.device.createTexture(descriptor());
    await expect(run(texture)).rejects.toMatchObject({ code: 'invalid-argument', message: expect.stringMatching(message) });
    texture.destroy();
  });

  test("another device's", async () => {
    const { adapter } = await openNodeGpu();
    const other = await adapter.requestDevice();
    const texture = other.createTexture({ size, format: 'rgba8unorm', usage: usage() });
    await expect(run(texture)).rejects.toMatchObject({ code: 'gpu-validation', message: expect.stringMatching(/session's own device\?$/) });
    other.destroy();
  });
});

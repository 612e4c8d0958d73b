/** Runs images through the GPU's preprocessing, without a session. */
import { expect } from 'vitest';
import type { Preprocess } from '../../src/models/preprocess.ts';
import type { ImageShape } from '../../src/tensor/image-shape.ts';
import type { ImagePreprocessor, PrepareOptions } from '../../src/vision/image-preprocessor.ts';
import type { ImageSource, RawImage } from '../../src/vision/image-source.ts';
import { seededRandom } from './random.ts';

/** Nothing but the resize: 0..255 becomes 0..1. */
export function plain(size: number, crop: number, color: 'rgb' | 'gray' = 'rgb'): Preprocess {
  const channels = color === 'gray' ? 1 : 3;
  return { size, crop, color, mean: Array(channels).fill(0), std: Array(channels).fill(1) };
}

export function square(side: number, c: number, n = 1): ImageShape {
  return { n, h: side, w: side, c };
}

export function noise(width: number, height: number, seed = 1): RawImage {
  const random = seededRandom(seed);
  return { width, height, data: Uint8Array.from({ length: width * height * 4 }, () => Math.floor(random() * 256)) };
}

/** Runs images into a float32 buffer full of NaN; gives it back as it is, four lanes a pixel. */
export async function runPreprocessor(
  device: GPUDevice,
  preprocessor: ImagePreprocessor,
  images: readonly ImageSource[],
  preprocess: Preprocess,
  shape: ImageShape,
  options?: PrepareOptions,
): Promise<Float32Array> {
  const size = shape.n * shape.h * shape.w * 16;
  const target = device.createBuffer({
    size,
    usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
  });
  const readback = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  device.queue.writeBuffer(target, 0, new Float32Array(size / 4).fill(NaN));
  const prepared = await preprocessor.prepare(images, preprocess, shape, target, options);
  device.pushErrorScope('validation');
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  prepared.record(pass);
  pass.end();
  encoder.copyBufferToBuffer(target, 0, readback, 0, size);
  device.queue.submit([encoder.finish()]);
  prepared.release();
  expect(await device.popErrorScope()).toBe(null);
  await readback.mapAsync(GPUMapMode.READ);
  const values = new Float32Array(readback.getMappedRange()).slice();
  target.destroy();
  readback.destroy();
  return values;
}

/**
 * Images to a network's input on the processor: what `preprocess.wgsl` does, in float64, for where there is no GPU. Only such a
 * fallback may import it: nothing of it is in the engine that runs on WebGPU.
 */
import type { Preprocess } from '../models/preprocess.ts';
import { tensor, type Tensor } from '../tensor/tensor.ts';
import { checkByteCount, checkSides, type RawImage, type Size } from './image-source.ts';
import { checkPreprocess, preprocessChannels, rowRange, shorterSide, targetToSource, type Mapping } from './preprocess.ts';

/** Rounds levels to whole ones as `preprocess.wgsl` does: halves up, those included that sums put a hair below. */
const HALF = 0.5 + 1 / 8192;

/** The source pixels, along one axis, that one target pixel is made of; their weights sum to 1. */
interface Taps {
  readonly begin: number;
  readonly weights: Float64Array;
}

/**
 * Resizes, crops, mirrors and normalises images: `[N, C, H, W]`, H x W being `target`, what the GPU's preprocessing gives to within
 * a level of 255, as do torchvision's `Resize`, `CenterCrop`, `ToTensor`, `Normalize` on a Pillow image. Alpha is ignored.
 * @throws invalid-argument for an image without pixels or of the wrong number of bytes, or a `preprocess` that makes no sense
 */
export function preprocessOnCpu(images: readonly RawImage[], preprocess: Preprocess, target: Size, { flip = false } = {}): Tensor {
  checkPreprocess(preprocess);
  const { width, height } = target;
  const channels = preprocessChannels(preprocess);
  const data = new Float32Array(images.length * channels * width * height);
  images.forEach((image, index) => {
    checkSides(image);
    checkByteCount(image);
    const levels = resize(image, { source: image, target, shorter: shorterSide(preprocess, target), flip }, channels);
    for (let c = 0; c < channels; c++) {
      const scale = 1 / (255 * preprocess.std[c]);
      const shift = -preprocess.mean[c] / preprocess.std[c];
      const plane = (index * channels + c) * width * height;
      for (let pixel = 0; pixel < width * height; pixel++) data[plane + pixel] = levels[pixel * channels + c] * scale + shift;
    }
  });
  return tensor([images.length, channels, height, width], data);
}

/** First in x, then in y, each result rounded to 8 bits. `[height, width, channels]`; 0 outside the image. */
function resize(image: RawImage, mapping: Mapping, channels: number): Uint8Array {
  const { width, height } = mapping.target;
  const toSource = targetToSource(mapping);
  const { firstRow, rows } = rowRange(mapping, toSource);
  const columnTaps = tapsAlong(width, image.width, toSource[0], toSource[8]);
  const rowTaps = tapsAlong(height, image.height, toSource[5], toSource[9]);

  const wide = new Uint8Array(rows * width * channels);
  for (let row = 0; row < rows; row++) {
    const source = rowOf(image, firstRow + row, channels);
    columnTaps.forEach((taps, x) => {
      for (let c = 0; taps && c < channels; c++) {
        wide[(row * width + x) * channels + c] = weighted(source, taps.begin * channels + c, channels, taps);
      }
    });
  }
  const pitch = width * channels;
  const levels = new Uint8Array(height * pitch);
  rowTaps.forEach((taps, y) => {
    for (let i = 0; taps && i < pitch; i++) levels[y * pitch + i] = weighted(wide, (taps.begin - firstRow) * pitch + i, pitch, taps);
  });
  return levels;
}

/** Of each target pixel; undefined where its centre is outside the image. */
function tapsAlong(targetSide: number, sourceSide: number, scale: number, offset: number): (Taps | undefined)[] {
  const reach = Math.max(Math.abs(scale), 1);
  return Array.from({ length: targetSide }, (_, i) => {
    const center = scale * (i + 0.5) + offset;
    if (center < 0 || center >= sourceSide) return undefined;
    const begin = Math.trunc(Math.max(center - reach + 0.5, 0));
    const end = Math.min(Math.trunc(Math.max(center + reach + 0.5, 0)), sourceSide);
    const weights = Float64Array.from({ length: end - begin }, (_, tap) => Math.max(1 - Math.abs(begin + tap + 0.5 - center) / reach, 0));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    return { begin, weights: weights.map((weight) => weight / total) };
  });
}

function weighted(levels: Uint8Array, first: number, step: number, { weights }: Taps): number {
  let sum = HALF;
  for (let tap = 0, at = first; tap < weights.length; tap++, at += step) sum += weights[tap] * levels[at];
  return Math.trunc(sum);
}

/** One row in RGB, or its luma by ITU-R 601 as `convert('L')`. */
function rowOf({ width, data }: RawImage, row: number, channels: number): Uint8Array {
  const levels = new Uint8Array(width * channels);
  for (let x = 0, at = row * width * 4; x < width; x++, at += 4) {
    if (channels === 1) {
      levels[x] = (19595 * data[at] + 38470 * data[at + 1] + 7471 * data[at + 2] + 32768) >> 16;
    } else {
      for (let c = 0; c < 3; c++) levels[x * 3 + c] = data[at + c];
    }
  }
  return levels;
}

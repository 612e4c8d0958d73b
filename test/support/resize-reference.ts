/**
 * Pillow's `Image.resize(BILINEAR)` and torchvision's `Resize` and `CenterCrop` around it, on the CPU, written after
 * their sources and not after `src/vision`: two passes in Pillow's own fixed-point arithmetic. The fixtures prove it.
 *
 * @see Pillow 9.4, src/libImaging/Resample.c; torchvision 0.14, transforms/functional.py
 */
import type { RawImage } from '../../src/vision/image-source.ts';

/** Interleaved bytes, `[height, width, channels]`. */
export interface ByteImage {
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly data: Uint8Array;
}

/** RGB of an RGBA image, or its `convert('L')`. */
export function toChannels({ width, height, data }: RawImage, color: 'rgb' | 'gray'): ByteImage {
  const channels = color === 'rgb' ? 3 : 1;
  const out = new Uint8Array(width * height * channels);
  for (let i = 0; i < width * height; i++) {
    const [r, g, b] = data.subarray(i * 4, i * 4 + 3);
    out.set(color === 'rgb' ? [r, g, b] : [(19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16], i * channels);
  }
  return { width, height, channels, data: out };
}

/** `Resize(size)`, then `CenterCrop((height, width))`; `crop` is a side, or both. */
export function resizeAndCrop(
  image: ByteImage,
  size: number,
  crop: number | { width: number; height: number },
): ByteImage {
  const [w, h] = [image.width, image.height];
  const longer = Math.floor((size * Math.max(w, h)) / Math.min(w, h));
  const resized = w <= h ? resize(image, size, longer) : resize(image, longer, size);
  return typeof crop === 'number' ? centerCrop(resized, crop, crop) : centerCrop(resized, crop.width, crop.height);
}

export function mirror(image: ByteImage): ByteImage {
  return gather(image, image.width, image.height, (x, y) => [image.width - 1 - x, y]);
}

function resize(image: ByteImage, width: number, height: number): ByteImage {
  const wide = width === image.width ? image : transpose(resizeColumns(transpose(image), width));
  return height === image.height ? wide : resizeColumns(wide, height);
}

/** One pass, along y. */
function resizeColumns({ width, height, channels, data }: ByteImage, outHeight: number): ByteImage {
  const PRECISION_BITS = 22;
  const scale = height / outHeight;
  const support = Math.max(scale, 1);
  const out = new Uint8Array(width * outHeight * channels);
  for (let y = 0; y < outHeight; y++) {
    const center = (y + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(height, Math.trunc(center + support + 0.5));
    const weights = Array.from({ length: end - first }, (_, i) =>
      Math.max(0, 1 - Math.abs((i + first - center + 0.5) / support)),
    );
    const total = weights.reduce((a, b) => a + b, 0);
    const fixed = weights.map((weight) => Math.floor(0.5 + (weight / total) * 2 ** PRECISION_BITS));
    for (let i = 0; i < width * channels; i++) {
      const sum = fixed.reduce(
        (s, weight, tap) => s + weight * data[(first + tap) * width * channels + i],
        2 ** (PRECISION_BITS - 1),
      );
      out[y * width * channels + i] = Math.min(255, Math.floor(sum / 2 ** PRECISION_BITS));
    }
  }
  return { width, height: outHeight, channels, data: out };
}

function centerCrop(image: ByteImage, width: number, height: number): ByteImage {
  // Too small an image is padded first, by half of what is missing, rounded down, at the left and the top.
  const left =
    image.width < width ? -Math.floor((width - image.width) / 2) : roundHalfToEven((image.width - width) / 2);
  const top =
    image.height < height ? -Math.floor((height - image.height) / 2) : roundHalfToEven((image.height - height) / 2);
  return gather(image, width, height, (x, y) => [x + left, y + top]);
}

function roundHalfToEven(value: number): number {
  return value % 1 === 0.5 ? 2 * Math.round(value / 2) : Math.round(value);
}

function transpose(image: ByteImage): ByteImage {
  return gather(image, image.height, image.width, (x, y) => [y, x]);
}

/** 0 where `from` leads outside. */
function gather(
  image: ByteImage,
  width: number,
  height: number,
  from: (x: number, y: number) => [number, number],
): ByteImage {
  const { channels } = image;
  const data = new Uint8Array(width * height * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [sx, sy] = from(x, y);
      if (sx < 0 || sy < 0 || sx >= image.width || sy >= image.height) continue;
      const at = (sy * image.width + sx) * channels;
      data.set(image.data.subarray(at, at + channels), (y * width + x) * channels);
    }
  }
  return { width, height, channels, data };
}

/**
 * Images in textures: uploaded into one of our own, or borrowed from the caller. Either way it can be bound to the
 * preprocessing kernels; what is in it is not touched.
 */
import { CompConvError } from '../errors.ts';
import {
  checkByteCount,
  checkSides,
  copyError,
  decodeImage,
  drawnAdvice,
  invalidImage,
  isDrawn,
  isPlatformImage,
  isRawImage,
  type DrawnImage,
  type ImageSource,
  type RawImage,
  type Size,
} from './image-source.ts';
import type { SourceKind } from './preprocess-kernels.ts';

/** An image that the preprocessing kernels can read. */
export interface ReadableImage {
  readonly size: Size;
  /** Which form of the kernels reads it. */
  readonly kind: SourceKind;
  /** What to bind. @throws invalid-argument for a video that is gone */
  resource(): GPUTextureView | GPUExternalTexture;
  /** Frees what is ours. Again is harmless. */
  release(): void;
}

/**
 * Copies an image into a texture of its own size, `rgba8unorm`.
 * @throws invalid-argument for an image that is empty, not loaded, not decodable, not readable for security, larger
 * than the device's textures, or of the wrong number of bytes; out-of-memory
 */
export async function uploadImage(device: GPUDevice, source: Exclude<ImageSource, GPUTexture>): Promise<ReadableImage> {
  return readable(await upload(device, source), 'bytes', (texture) => texture.destroy());
}

/**
 * Reads a texture of the caller's, which must hold sRGB levels as a canvas or a decoder gives them, 0..1 for 0..255, in the first
 * three channels; of the `-srgb` formats, those are the stored levels. What is outside 0..1 is clamped. Never destroyed.
 * @throws invalid-argument for a texture that cannot be bound as such an image
 */
export function borrowTexture(texture: GPUTexture): ReadableImage {
  const { format, dimension, sampleCount, usage, depthOrArrayLayers } = texture;
  const what = `the GPUTexture${texture.label && ` "${texture.label}"`}`;
  const kind = TEXTURE_FORMATS[format];
  if (!(usage & GPUTextureUsage.TEXTURE_BINDING)) {
    throw invalidImage(`${what} cannot be read by kernels: create it with GPUTextureUsage.TEXTURE_BINDING, among others`);
  }
  if (!kind) throw invalidImage(`${what} has the format ${format}; known are ${Object.keys(TEXTURE_FORMATS).join(', ')}`);
  if (dimension !== '2d' || depthOrArrayLayers !== 1) {
    throw invalidImage(`${what} must be 2d with one layer, got ${dimension} with ${depthOrArrayLayers}; copy a layer into one of its own`);
  }
  if (sampleCount !== 1) throw invalidImage(`${what} has ${sampleCount} samples a pixel: resolve it into a texture with one`);
  return readable(texture, kind, () => {});
}

/** Formats of textures with red, green and blue, and how the kernels read them. */
const TEXTURE_FORMATS: Partial<Record<GPUTextureFormat, SourceKind>> = {
  rgba8unorm: 'bytes',
  bgra8unorm: 'bytes',
  'rgba8unorm-srgb': 'linear',
  'bgra8unorm-srgb': 'linear',
  rgb10a2unorm: 'floats',
  rgba16float: 'floats',
  rgba32float: 'floats',
};

function readable(texture: GPUTexture, kind: SourceKind, release: (texture: GPUTexture) => void): ReadableImage {
  return {
    size: { width: texture.width, height: texture.height },
    kind,
    resource: () => texture.createView({ dimension: '2d', mipLevelCount: 1 }),
    release: () => release(texture),
  };
}

async function upload(device: GPUDevice, source: Exclude<ImageSource, GPUTexture>): Promise<GPUTexture> {
  if (isRawImage(source)) return uploadBytes(device, source);
  if (isDrawn(source)) return uploadDrawn(device, source);
  const bitmap = await decodeImage(source);
  try {
    return await uploadDrawn(device, bitmap);
  } finally {
    bitmap.close();
  }
}

async function uploadBytes(device: GPUDevice, { width, height, data }: RawImage): Promise<GPUTexture> {
  checkSize(device, { width, height });
  checkByteCount({ width, height, data });
  return fillTexture(device, { width, height }, 0, (texture) => {
    device.queue.writeTexture({ texture }, data, { bytesPerRow: width * 4 }, { width, height });
  });
}

async function uploadDrawn(device: GPUDevice, source: DrawnImage): Promise<GPUTexture> {
  const { width, height } = source;
  checkSize(device, { width, height }, drawnAdvice(source));
  // The copy is drawn, hence the attachment.
  return fillTexture(device, { width, height }, GPUTextureUsage.RENDER_ATTACHMENT, (texture) => {
    try {
      device.queue.copyExternalImageToTexture({ source }, { texture, premultipliedAlpha: false }, { width, height });
    } catch (cause) {
      throw copyError(cause, isPlatformImage(source, 'ImageBitmap') ? '' : '; draw on the canvas first');
    }
  });
}

function checkSize(device: GPUDevice, { width, height }: Size, advice?: string): void {
  checkSides({ width, height }, advice);
  const max = device.limits.maxTextureDimension2D;
  if (Math.max(width, height) > max) {
    throw invalidImage(
      `${width} x ${height} pixels is more than this device's ${max} on a side: resize the image before`,
    );
  }
}

/** Creates a texture and fills it; destroys it if that fails. */
async function fillTexture(
  device: GPUDevice,
  size: { width: number; height: number },
  usage: GPUTextureUsageFlags,
  fill: (texture: GPUTexture) => void,
): Promise<GPUTexture> {
  // Popped before anything is awaited, so that nobody else's commands fall into the scope.
  device.pushErrorScope('out-of-memory');
  const texture = device.createTexture({
    label: 'image',
    size,
    format: 'rgba8unorm',
    usage: GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST | usage,
  });
  const outOfMemory = device.popErrorScope();
  outOfMemory.catch(() => {}); // Awaited below, unless `fill` throws.
  try {
    fill(texture);
    const error = await outOfMemory;
    if (error) {
      const { width, height } = size;
      throw new CompConvError(
        'out-of-memory',
        `image: the GPU has no memory for ${width} x ${height} pixels: resize the image before`,
      );
    }
    return texture;
  } catch (error) {
    texture.destroy();
    throw error;
  }
}

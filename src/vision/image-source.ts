/**
 * Images as they come, from a page, a file or plain bytes, and their way into a texture.
 *
 * The pixels are those of the file where there is a choice: no colour profile applied and no alpha multiplied in, as
 * Pillow reads them; but turned upright by the EXIF orientation, as browsers show them. Everything after ignores alpha.
 */
import { CompConvError } from '../errors.ts';

/** Plain pixels, for Node or whoever has bytes. */
export interface RawImage {
  readonly width: number;
  readonly height: number;
  /** RGBA, 4 bytes a pixel, row by row from the top, without padding. */
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** `ImageData` is a `RawImage` by its structure. */
export type ImageSource =
  | ImageBitmap
  | ImageData
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement
  | VideoFrame
  | Blob
  | RawImage;

interface PlatformImages {
  ImageBitmap: ImageBitmap;
  HTMLImageElement: HTMLImageElement;
  HTMLCanvasElement: HTMLCanvasElement;
  OffscreenCanvas: OffscreenCanvas;
  HTMLVideoElement: HTMLVideoElement;
  VideoFrame: VideoFrame;
  Blob: Blob;
}
type PlatformImage = PlatformImages[keyof PlatformImages];

/** What is copied into a texture directly. */
const DRAWN_IMAGES = ['ImageBitmap', 'HTMLCanvasElement', 'OffscreenCanvas'] as const;
type DrawnImage = PlatformImages[(typeof DRAWN_IMAGES)[number]];

/**
 * What goes through an ImageBitmap: besides files, also what some browsers cannot copy from directly, <img> in older
 * ones and video in Chromium without a GPU.
 */
const CODED_IMAGES = ['Blob', 'HTMLImageElement', 'HTMLVideoElement', 'VideoFrame'] as const;
type CodedImage = PlatformImages[(typeof CODED_IMAGES)[number]];

/** `HTMLMediaElement.HAVE_CURRENT_DATA`: there is a frame to show. */
const HAVE_CURRENT_DATA = 2;

/** Whether a value is an image that `uploadImage` takes; says nothing of its size or content. */
export function isImageSource(value: unknown): value is ImageSource {
  return isRawImage(value) || [...DRAWN_IMAGES, ...CODED_IMAGES].some((name) => isPlatformImage(value, name));
}

function isRawImage(value: unknown): value is RawImage {
  if (typeof value !== 'object' || value === null) return false;
  const { width, height, data } = value as Partial<RawImage>;
  const isBytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray;
  return typeof width === 'number' && typeof height === 'number' && isBytes;
}

/** By the name of its class, which need not exist: Node has only `Blob`, a worker no elements. */
function isPlatformImage<K extends keyof PlatformImages>(value: unknown, name: K): value is PlatformImages[K] {
  const type = (globalThis as Record<string, unknown>)[name];
  return typeof type === 'function' && value instanceof type;
}

/**
 * Copies an image into a texture of its own size, `rgba8unorm`, ready to be bound; the caller destroys it.
 * @throws invalid-argument for an image that is empty, not loaded, not decodable, not readable for security, larger
 * than the device's textures, or of the wrong number of bytes; out-of-memory
 */
export async function uploadImage(device: GPUDevice, source: ImageSource): Promise<GPUTexture> {
  if (isRawImage(source)) return uploadBytes(device, source);
  if (isDrawn(source)) return uploadDrawn(device, source);
  const bitmap = await decode(source);
  try {
    return await uploadDrawn(device, bitmap);
  } finally {
    bitmap.close();
  }
}

function isDrawn(source: PlatformImage): source is DrawnImage {
  return DRAWN_IMAGES.some((name) => isPlatformImage(source, name));
}

async function uploadBytes(device: GPUDevice, { width, height, data }: RawImage): Promise<GPUTexture> {
  checkSize(device, width, height, 'its width and height must be positive integers');
  if (data.length !== width * height * 4) {
    throw invalidImage(
      `${width} x ${height} pixels are ${width * height * 4} bytes of RGBA (4 a pixel), got ${data.length}` +
        (data.length === width * height * 3 ? '; add an alpha byte of 255 after each RGB triple' : ''),
    );
  }
  return fillTexture(device, { width, height }, 0, (texture) => {
    device.queue.writeTexture({ texture }, data, { bytesPerRow: width * 4 }, { width, height });
  });
}

async function uploadDrawn(device: GPUDevice, source: DrawnImage): Promise<GPUTexture> {
  const { width, height } = source;
  const isBitmap = isPlatformImage(source, 'ImageBitmap');
  checkSize(
    device,
    width,
    height,
    isBitmap ? 'the ImageBitmap was closed: use it before' : 'give the canvas a size and draw on it first',
  );
  // The copy is drawn, hence the attachment.
  return fillTexture(device, { width, height }, GPUTextureUsage.RENDER_ATTACHMENT, (texture) => {
    try {
      device.queue.copyExternalImageToTexture({ source }, { texture, premultipliedAlpha: false }, { width, height });
    } catch (cause) {
      throw copyError(cause, isBitmap ? '' : '; draw on the canvas first');
    }
  });
}

function checkSize(device: GPUDevice, width: number, height: number, empty: string): void {
  const isSide = (side: number) => Number.isInteger(side) && side >= 1;
  if (!isSide(width) || !isSide(height)) throw invalidImage(`got ${width} x ${height} pixels; ${empty}`);
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

async function decode(source: CodedImage): Promise<ImageBitmap> {
  if (typeof createImageBitmap !== 'function') {
    throw invalidImage(
      'images cannot be decoded here: decode it yourself and pass { width, height, data } of RGBA bytes',
    );
  }
  const unready = whyUnready(source);
  if (unready) throw invalidImage(unready);
  try {
    return await createImageBitmap(source, {
      colorSpaceConversion: 'none',
      imageOrientation: 'from-image',
      premultiplyAlpha: 'none',
    });
  } catch (cause) {
    if (!isPlatformImage(source, 'Blob')) throw copyError(cause, '');
    const what = `the ${source.size} bytes${source.type && ` of type ${source.type}`}`;
    throw invalidImage(
      `${what} cannot be decoded: ${messageOf(cause)}; is it a JPEG, PNG, WebP, GIF or AVIF picture, and complete?`,
      cause,
    );
  }
}

/** Why there is nothing to decode yet, or no longer, and what to do about it. */
function whyUnready(source: CodedImage): string | undefined {
  if (isPlatformImage(source, 'HTMLImageElement')) {
    if (!source.complete) return 'the <img> is not loaded yet: await its decode() first';
    if (source.naturalWidth === 0)
      return 'the <img> has no picture: its file is missing, broken, or an SVG without a size';
  } else if (isPlatformImage(source, 'HTMLVideoElement')) {
    if (source.readyState < HAVE_CURRENT_DATA) return 'the <video> has no frame yet: wait for its "loadeddata" event';
    if (source.videoWidth === 0) return 'the <video> has no picture, only sound';
  } else if (isPlatformImage(source, 'VideoFrame') && source.displayWidth === 0) {
    return 'the VideoFrame was closed: use it before close()';
  }
  return undefined;
}

function copyError(cause: unknown, advice: string): CompConvError {
  if (cause instanceof Error && cause.name === 'SecurityError') {
    const allow = 'load it with crossorigin="anonymous", from a server that sends Access-Control-Allow-Origin';
    return invalidImage(`it comes from another site and may not be read: ${allow}`, cause);
  }
  return invalidImage(`it cannot be read: ${messageOf(cause)}${advice}`, cause);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function invalidImage(message: string, cause?: unknown): CompConvError {
  return new CompConvError('invalid-argument', `image: ${message}`, cause === undefined ? undefined : { cause });
}

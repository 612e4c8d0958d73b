/**
 * Images as they come, from a page, a file, plain bytes or the GPU: what kinds there are, how files are decoded, and what to
 * say of one that cannot be used. How they reach the GPU is in `image-texture.ts` and `video-import.ts`.
 *
 * The pixels are those of the file where there is a choice: no colour profile applied and no alpha multiplied in, as
 * Pillow reads them; but turned upright by the EXIF orientation, as browsers show them. Everything after ignores alpha.
 */
import { CompConvError } from '../errors.ts';

/** In pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Plain pixels, for Node or whoever has bytes. */
export interface RawImage {
  readonly width: number;
  readonly height: number;
  /** RGBA, 4 bytes a pixel, row by row from the top, without padding. */
  readonly data: Uint8Array | Uint8ClampedArray;
}

/**
 * `ImageData` is a `RawImage` by its structure. A `GPUTexture` is the caller's, of the session's device, and never destroyed; it holds sRGB
 * levels as a canvas gives them, 0..1 for 0..255, in its first three channels.
 */
export type ImageSource =
  | ImageBitmap
  | ImageData
  | HTMLImageElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | HTMLVideoElement
  | VideoFrame
  | GPUTexture
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
  GPUTexture: GPUTexture;
}

/** What is copied into a texture directly. */
const DRAWN_IMAGES = ['ImageBitmap', 'HTMLCanvasElement', 'OffscreenCanvas'] as const;
export type DrawnImage = PlatformImages[(typeof DRAWN_IMAGES)[number]];

/** What goes through an ImageBitmap: besides files, <img>, which older browsers cannot copy from, and video that cannot be imported. */
const CODED_IMAGES = ['Blob', 'HTMLImageElement', 'HTMLVideoElement', 'VideoFrame'] as const;
export type CodedImage = PlatformImages[(typeof CODED_IMAGES)[number]];

export type Video = HTMLVideoElement | VideoFrame;

/** `HTMLMediaElement.HAVE_CURRENT_DATA`: there is a frame to show. */
const HAVE_CURRENT_DATA = 2;

/** Whether a value is one of the images above; says nothing of its size or content. */
export function isImageSource(value: unknown): value is ImageSource {
  return isRawImage(value) || [...DRAWN_IMAGES, ...CODED_IMAGES, 'GPUTexture' as const].some((name) => isPlatformImage(value, name));
}

export function isRawImage(value: unknown): value is RawImage {
  if (typeof value !== 'object' || value === null) return false;
  const { width, height, data } = value as Partial<RawImage>;
  const isBytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray;
  return typeof width === 'number' && typeof height === 'number' && isBytes;
}

/** By the name of its class, which need not exist: Node has only `Blob`, a worker no elements. */
export function isPlatformImage<K extends keyof PlatformImages>(value: unknown, name: K): value is PlatformImages[K] {
  const type = (globalThis as Record<string, unknown>)[name];
  return typeof type === 'function' && value instanceof type;
}

export function isDrawn(source: ImageSource): source is DrawnImage {
  return DRAWN_IMAGES.some((name) => isPlatformImage(source, name));
}

export function isVideo(source: ImageSource): source is Video {
  return isPlatformImage(source, 'HTMLVideoElement') || isPlatformImage(source, 'VideoFrame');
}

/** What a drawn image without pixels lacks. */
export function drawnAdvice(source: DrawnImage): string {
  return isPlatformImage(source, 'ImageBitmap') ? 'the ImageBitmap was closed: use it before' : 'give the canvas a size and draw on it first';
}

/** The caller closes it. @throws invalid-argument for what is not loaded, not decodable, or not readable for security */
export async function decodeImage(source: CodedImage): Promise<ImageBitmap> {
  if (typeof createImageBitmap !== 'function') {
    throw invalidImage(
      'images cannot be decoded here: decode it yourself and pass { width, height, data } of RGBA bytes',
    );
  }
  checkReady(source);
  try {
    const bitmap = await createImageBitmap(source, {
      colorSpaceConversion: 'none',
      imageOrientation: 'from-image',
      premultiplyAlpha: 'none',
    });
    return isPlatformImage(source, 'VideoFrame') ? asShown(source, bitmap) : bitmap;
  } catch (cause) {
    if (!isPlatformImage(source, 'Blob')) throw copyError(cause);
    const what = `the ${source.size} bytes${source.type && ` of type ${source.type}`}`;
    throw invalidImage(
      `${what} cannot be decoded: ${messageOf(cause)}; is it a JPEG, PNG, WebP, GIF or AVIF picture, and complete?`,
      cause,
    );
  }
}

/** Chromium 147 squeezes a frame that is turned by a quarter into its unturned size; drawing it on a canvas does not. */
function asShown(frame: VideoFrame, bitmap: ImageBitmap): ImageBitmap {
  const { displayWidth, displayHeight } = frame;
  if (bitmap.width === displayWidth && bitmap.height === displayHeight) return bitmap;
  bitmap.close();
  const canvas = new OffscreenCanvas(displayWidth, displayHeight);
  canvas.getContext('2d')!.drawImage(frame, 0, 0, displayWidth, displayHeight);
  return canvas.transferToImageBitmap();
}

/** @throws invalid-argument for an image that has no pixels yet, or no longer */
export function checkReady(source: CodedImage): void {
  const unready = whyUnready(source);
  if (unready) throw invalidImage(unready);
}

/** Why there is nothing to decode, and what to do about it. */
export function whyUnready(source: CodedImage): string | undefined {
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

/** @throws invalid-argument for an image without pixels; `advice` says why it may have none */
export function checkSides({ width, height }: Size, advice = 'its width and height must be positive integers'): void {
  const isSide = (side: number) => Number.isInteger(side) && side >= 1;
  if (!isSide(width) || !isSide(height)) throw invalidImage(`got ${width} x ${height} pixels; ${advice}`);
}

/** @throws invalid-argument unless there are 4 bytes a pixel */
export function checkByteCount({ width, height, data }: RawImage): void {
  if (data.length === width * height * 4) return;
  throw invalidImage(
    `${width} x ${height} pixels are ${width * height * 4} bytes of RGBA (4 a pixel), got ${data.length}` +
      (data.length === width * height * 3 ? '; add an alpha byte of 255 after each RGB triple' : ''),
  );
}

/** What a browser's refusal to hand out pixels means. */
export function copyError(cause: unknown, advice = ''): CompConvError {
  if (isForbidden(cause)) {
    const allow = 'load it with crossorigin="anonymous", from a server that sends Access-Control-Allow-Origin';
    return invalidImage(`it comes from another site and may not be read: ${allow}`, cause);
  }
  return invalidImage(`it cannot be read: ${messageOf(cause)}${advice}`, cause);
}

/** Whether an image may not be read because it is another site's. */
export function isForbidden(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'SecurityError';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function invalidImage(message: string, cause?: unknown): CompConvError {
  return new CompConvError('invalid-argument', `image: ${message}`, cause === undefined ? undefined : { cause });
}

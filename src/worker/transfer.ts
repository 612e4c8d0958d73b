/** What of a message moves to the other side instead of being copied, and what becomes of that which can do neither. */
import { resolveAddress } from '../bytes/address.ts';
import { CompConvError } from '../errors.ts';
import type { ModelSource } from '../models/read-model.ts';
import { imagesOf, isGpuTensor, isTensor, type SessionInput } from '../runtime/session-input.ts';
import { tensor } from '../tensor/tensor.ts';
import {
  checkReady,
  checkSides,
  copyError,
  decodeImage,
  drawnAdvice,
  isPlatformImage,
  isRawImage,
  type ImageSource,
} from '../vision/image-source.ts';

/** Everything in a value that can be transferred, each once. */
export function transfersOf(value: unknown, found = new Set<Transferable>()): Transferable[] {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer);
  } else if (value instanceof ArrayBuffer || isFrame(value)) {
    found.add(value);
  } else if (Array.isArray(value)) {
    for (const each of value) transfersOf(each, found);
  } else if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    for (const each of Object.values(value)) transfersOf(each, found);
  }
  return [...found];
}

/** What holds memory until it is closed, by whoever has it last. */
export function isFrame(value: unknown): value is ImageBitmap | VideoFrame {
  return isPlatformImage(value, 'ImageBitmap') || isPlatformImage(value, 'VideoFrame');
}

/**
 * A model's source in a form that crosses to a worker: an address as this page understands it, and of bytes in a larger buffer a copy,
 * which is then all that is transferred. What is none of that is refused over there, with what is wrong.
 * @throws invalid-argument for an address that is none
 */
export function crossingSource(source: ModelSource): ModelSource {
  if (source instanceof Uint8Array) return ownMemory(source);
  if (typeof source !== 'string' && !(source instanceof URL)) return source;
  return resolveAddress(source);
}

/**
 * An input in a form that crosses to a worker: a view of a larger buffer becomes one of its own, which is all that is transferred;
 * elements of a page and canvases, which have to stay, become what they show now.
 * @throws invalid-argument for what is no input, is bound to a GPU device of this thread, or cannot be read
 */
export async function crossingInput(input: SessionInput): Promise<SessionInput> {
  if (isGpuTensor(input)) throw boundToDevice('the GPU buffer');
  if (isTensor(input)) {
    const { shape, data } = tensor(input.shape, input.data);
    return { shape, data: ownMemory(data) };
  }
  const images = await Promise.all(imagesOf(input).map(crossingImage));
  return Array.isArray(input) ? images : images[0];
}

async function crossingImage(image: ImageSource): Promise<ImageSource> {
  if (isPlatformImage(image, 'GPUTexture')) throw boundToDevice('the GPUTexture');
  if (isRawImage(image)) {
    // ImageData, too, whose memory would be copied as such.
    const { width, height, data } = image;
    return { width, height, data: ownMemory(data) };
  }
  if (isPlatformImage(image, 'HTMLImageElement')) return decodeImage(image);
  if (isPlatformImage(image, 'HTMLVideoElement')) return frameOf(image);
  if (isPlatformImage(image, 'HTMLCanvasElement') || isPlatformImage(image, 'OffscreenCanvas')) return copyOf(image);
  return image;
}

/** On a GPU nothing is copied for that. */
async function frameOf(video: HTMLVideoElement): Promise<VideoFrame | ImageBitmap> {
  if (typeof VideoFrame !== 'function') return decodeImage(video);
  checkReady(video);
  try {
    return new VideoFrame(video);
  } catch (cause) {
    throw copyError(cause);
  }
}

async function copyOf(canvas: HTMLCanvasElement | OffscreenCanvas): Promise<ImageBitmap> {
  checkSides(canvas, drawnAdvice(canvas));
  try {
    return await createImageBitmap(canvas, { colorSpaceConversion: 'none', premultiplyAlpha: 'none' });
  } catch (cause) {
    throw copyError(cause, '; draw on the canvas first');
  }
}

function ownMemory<T extends Float32Array | Uint8Array | Uint8ClampedArray>(data: T): T {
  return data.byteLength === data.buffer?.byteLength ? data : (data.slice() as T);
}

function boundToDevice(what: string): CompConvError {
  return new CompConvError('invalid-argument', `${what} belongs to a device of this thread: a session in a worker does not take it`);
}

/** Closes what was made of an input in order to cross and did not; what crossed is closed here already. */
export function closeCopies(made: SessionInput, input: SessionInput): void {
  const given: readonly unknown[] = Array.isArray(input) ? input : [input];
  for (const each of Array.isArray(made) ? made : [made]) if (isFrame(each) && !given.includes(each)) each.close();
}

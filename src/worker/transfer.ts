/** What of a message moves to the other side instead of being copied: the memory of tensors and images. */
import { CompConvError } from '../errors.ts';
import { isTensor, type SessionInput } from '../runtime/session-input.ts';
import type { ImageSource } from '../vision/image-source.ts';

/** Everything in a value that can be transferred, each once. */
export function transfersOf(value: unknown, found = new Set<Transferable>()): Transferable[] {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer);
  } else if (value instanceof ArrayBuffer || isOf(value, 'ImageBitmap') || isOf(value, 'VideoFrame')) {
    found.add(value as Transferable);
  } else if (isOf(value, 'ImageData')) {
    found.add((value as ImageData).data.buffer as ArrayBuffer);
  } else if (Array.isArray(value)) {
    for (const each of value) transfersOf(each, found);
  } else if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    for (const each of Object.values(value)) transfersOf(each, found);
  }
  return [...found];
}

/**
 * An input in a form that crosses to a worker: a view of a larger buffer becomes one of its own, which is all that is transferred;
 * elements of a page and canvases, which have to stay, become an ImageBitmap.
 * @throws invalid-argument for what is bound to a page's GPU device, or cannot be read
 */
export async function crossing(input: SessionInput): Promise<SessionInput> {
  if (Array.isArray(input)) return Promise.all((input as readonly ImageSource[]).map((image) => crossing(image) as Promise<ImageSource>));
  if (typeof input !== 'object' || input === null) return input; // Refused on the other side, with what is wrong.
  if (isOf(input, 'GPUTexture') || 'buffer' in input) {
    throw new CompConvError('invalid-argument', 'GPU buffers and textures belong to a device of this thread: a session in a worker does not take them');
  }
  if (isTensor(input) || isRaw(input)) {
    const { data } = input;
    return data.byteLength === data.buffer.byteLength ? input : ({ ...input, data: data.slice() } as SessionInput);
  }
  if (!STAYS.some((name) => isOf(input, name))) return input;
  try {
    return await createImageBitmap(input as ImageBitmapSource, { colorSpaceConversion: 'none', imageOrientation: 'from-image', premultiplyAlpha: 'none' });
  } catch (cause) {
    throw new CompConvError('invalid-argument', `image: it cannot be read: ${(cause as Error).message}; is it loaded?`, { cause });
  }
}

/** Of a page, or drawn on here. */
const STAYS = ['HTMLImageElement', 'HTMLVideoElement', 'HTMLCanvasElement', 'OffscreenCanvas', 'SVGImageElement'];

function isRaw(input: object): input is { readonly width: number; readonly height: number; readonly data: Uint8ClampedArray } {
  return Object.getPrototypeOf(input) === Object.prototype && ArrayBuffer.isView((input as { data?: unknown }).data);
}

function isOf(value: unknown, name: string): boolean {
  const type = (globalThis as Record<string, unknown>)[name];
  return typeof type === 'function' && value instanceof type;
}

/**
 * The IDX files of MNIST and Fashion-MNIST: a magic number, big-endian sizes, bytes; usually gzipped.
 *
 * Only unsigned bytes, which is what those data sets hold, and only whole files in memory. Files are hostile: sizes are
 * checked against the bytes there are, and unpacking stops at a cap.
 */
import { CompConvError } from '../errors.ts';
import type { RawImage } from './image-source.ts';

/** Unsigned bytes in row-major order: images `[N, H, W]`, labels `[N]`. */
export interface IdxArray {
  readonly shape: number[];
  readonly data: Uint8Array;
}

/** Images `begin` to `end` of `[N, H, W]` levels of gray, as pictures that a session brings to its network's size and channels. */
export function grayPictures({ shape, data }: IdxArray, begin: number, end: number): RawImage[] {
  const [, height, width] = shape;
  const pixels = height * width;
  return Array.from({ length: end - begin }, (_, image) => {
    const rgba = new Uint8Array(4 * pixels).fill(255);
    for (let at = 0, from = (begin + image) * pixels; at < pixels; at++) rgba.fill(data[from + at], 4 * at, 4 * at + 3);
    return { width, height, data: rgba };
  });
}

/**
 * Parses an unpacked IDX file of unsigned bytes (magic `00 00 08 rank`) of 1 to 4 dimensions. `data` aliases `bytes`.
 * @see http://yann.lecun.com/exdb/mnist/ "The IDX file format"
 * @throws invalid-file for another magic number or rank, or if the bytes are not exactly those of the sizes.
 */
export function parseIdx(bytes: Uint8Array): IdxArray {
  if (bytes.length < 4) {
    malformed(`the file has ${bytes.length} bytes, fewer than the 4 of the magic number; is it complete?`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0);
  const rank = magic & 0xff;
  if (magic >>> 8 !== 0x08) {
    const hint = isGzip(bytes) ? 'it is gzipped: unpack it first' : 'only unsigned bytes are supported';
    malformed(`the magic number is 0x${magic.toString(16).padStart(8, '0')}, expected 0x000008 and the rank; ${hint}`);
  }
  if (rank < 1 || rank > 4) malformed(`rank ${rank} is not supported, only 1 to 4`);
  const start = 4 + 4 * rank;
  if (bytes.length < start) {
    malformed(`the file has ${bytes.length} bytes, fewer than the ${start} of a header of rank ${rank}`);
  }
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  // In float64 the product can be rounded, but only where it is far above any length there can be.
  const count = shape.reduce((product, size) => product * size, 1);
  if (count !== bytes.length - start) {
    const follow = bytes.length - start;
    malformed(`sizes [${shape.join(', ')}] need ${count} bytes of data, but ${follow} follow; is the file complete?`);
  }
  return { shape, data: bytes.subarray(start) };
}

export interface GunzipOptions {
  /** Most bytes to unpack to; a small file can unpack to a thousand times its size. Default 256 MiB. */
  readonly maxBytes?: number;
}

/**
 * Unpacks gzip with the platform's `DecompressionStream`; bytes that do not start with gzip's `1f 8b` are returned as
 * they are, so that it can be called on a file that may be packed.
 * @throws invalid-file for truncated or corrupt data, or more than `maxBytes`; invalid-argument for a bad `maxBytes`.
 */
export async function gunzip(bytes: Uint8Array, options: GunzipOptions = {}): Promise<Uint8Array> {
  const { maxBytes = 2 ** 28 } = options;
  if (!(maxBytes >= 0)) {
    throw new CompConvError('invalid-argument', `gunzip: maxBytes must be a number >= 0, got ${maxBytes}`);
  }
  if (!isGzip(bytes)) return bytes;

  const reader = inSlices(bytes).pipeThrough(new DecompressionStream('gzip')).getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.length;
      if (length > maxBytes) throw new CompConvError('invalid-file', `gunzip: unpacks to more than ${maxBytes} bytes`);
      chunks.push(value);
    }
  } catch (cause) {
    // Stops the unpacking; if that fails too, the first failure is the one to report.
    await reader.cancel().catch(() => undefined);
    if (cause instanceof CompConvError) throw cause;
    const { message } = cause as Error;
    throw new CompConvError('invalid-file', `gunzip: truncated or corrupt data: ${message}`, { cause });
  }
  const whole = new Uint8Array(length);
  let position = 0;
  for (const chunk of chunks) {
    whole.set(chunk, position);
    position += chunk.length;
  }
  return whole;
}

/** A slice at a time, on demand: a browser unpacks each chunk as a whole, and the cap is checked only in between. */
function inSlices(bytes: Uint8Array): ReadableStream<Uint8Array<ArrayBuffer>> {
  const SLICE = 65536;
  let position = 0;
  return new ReadableStream({
    pull(controller) {
      // A copy: streams may take the buffer of a chunk away.
      controller.enqueue(new Uint8Array(bytes.subarray(position, position + SLICE)));
      position += SLICE;
      if (position >= bytes.length) controller.close();
    },
  });
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function malformed(problem: string): never {
  throw new CompConvError('invalid-file', `IDX: ${problem}`);
}

/**
 * A `.safetensors` file as it arrives: first its header, which says all about it, then its tensors one by one, of which none is kept.
 * What the header may say is checked in `safetensors.ts`.
 */
import type { ByteSource, OpenedBytes } from '../bytes/byte-source.ts';
import { CompConvError, show, throwIfAborted, withMemory } from '../errors.ts';
import { decodeTensor, describeEntries, malformed, naming, parseHeader, readHeaderLength, type Header, type SafetensorsFile } from './safetensors.ts';
import type { Weights, WeightSource } from './weights.ts';
import type { Tensor } from '../tensor/tensor.ts';

export interface SafetensorsSource extends WeightSource, Pick<SafetensorsFile, 'metadata' | 'dtypes'> {
  /** Of the whole file. */
  readonly byteLength: number;
  /**
   * Ends a download that nobody reads on. A copy in a cache is read to its end, since its damage, which shows there, may be why.
   * @throws io for that
   */
  close(): Promise<void>;
}

export interface OpenOptions {
  readonly signal?: AbortSignal | undefined;
  /** Of the whole file, until it has been read once; never decreases. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/** Reads the header of a file. @throws invalid-file; what the source does */
export async function openSafetensors(source: ByteSource, { signal, onProgress }: OpenOptions = {}): Promise<SafetensorsSource> {
  const first = await Reading.begin(source, signal, onProgress);
  const { header, headerBytes, byteLength } = first;
  /** The download that the header came from, until somebody reads on in it. */
  let begun: Reading | undefined = first;
  return {
    metadata: header.metadata,
    ...describeEntries(header.entries),
    byteLength,
    async close() {
      await begun?.close();
      begun = undefined;
    },
    async *read(names, signal) {
      let reading = begun;
      begun = undefined;
      if (!reading) {
        reading = await Reading.begin(source, signal);
        if (!isSame(reading.headerBytes, headerBytes)) {
          await reading.close();
          throw new CompConvError('io', `${source.name}: the file is another one than before; load the model again`);
        }
      }
      yield* reading.tensors(names, signal);
    },
  };
}

/** All tensors of a source at once, for whoever needs them at hand. */
export async function collectWeights(source: WeightSource, signal?: AbortSignal): Promise<Weights> {
  const tensors = new Map<string, Tensor>();
  for await (const [name, tensor] of source.read(new Set(source.shapes.keys()), signal)) tensors.set(name, tensor);
  return {
    shapes: source.shapes,
    get(name) {
      const tensor = tensors.get(name);
      if (!tensor) throw new CompConvError('invalid-argument', `the file has no tensor ${show(name)}`);
      return tensor;
    },
  };
}

/** One pass through a file. */
class Reading {
  readonly header: Header;
  readonly headerBytes: Uint8Array;
  readonly byteLength: number;
  readonly #bytes: ByteReader;
  readonly #isCopy: boolean;

  private constructor(bytes: ByteReader, headerBytes: Uint8Array, header: Header, isCopy: boolean) {
    this.#bytes = bytes;
    this.headerBytes = headerBytes;
    this.header = header;
    this.byteLength = 8 + headerBytes.length + header.dataLength;
    this.#isCopy = isCopy;
  }

  /** Reads as far as the header goes. */
  static async begin(source: ByteSource, signal?: AbortSignal, onProgress?: OpenOptions['onProgress']): Promise<Reading> {
    const opened = await source.open(signal);
    const bytes = new ByteReader(opened, source.name);
    try {
      const beginning = await bytes.takeUpTo(8);
      const headerLength = naming(source.name, () => readHeaderLength(beginning, opened.byteLength));
      const headerBytes = await bytes.take(headerLength);
      const known = opened.byteLength === undefined ? undefined : opened.byteLength - 8 - headerLength;
      const header = naming(source.name, () => parseHeader(headerBytes, known));
      const reading = new Reading(bytes, headerBytes, header, opened.isCopy);
      if (onProgress) bytes.report((done) => onProgress(done, reading.byteLength));
      return reading;
    } catch (error) {
      if (opened.isCopy) await bytes.drain();
      await bytes.close();
      throw error;
    }
  }

  async *tensors(names: ReadonlySet<string>, signal?: AbortSignal): AsyncGenerator<readonly [string, Tensor]> {
    try {
      for (const entry of this.header.entries) {
        throwIfAborted(signal);
        const length = entry.end - entry.begin;
        if (names.has(entry.name)) yield [entry.name, decodeTensor(entry, await this.#bytes.take(length))];
        else await this.#bytes.skip(length);
      }
      await this.#bytes.expectEnd();
    } catch (error) {
      await this.close();
      throw error;
    } finally {
      await this.#bytes.close();
    }
  }

  /** Ends it early. A copy is read to its end, since its damage, which shows there, may be what went wrong. @throws io for that */
  async close(): Promise<void> {
    if (this.#isCopy) await this.#bytes.drain();
    await this.#bytes.close();
  }
}

/** Takes bytes from chunks of any size, and counts them. */
class ByteReader {
  readonly #name: string;
  readonly #chunks: AsyncIterator<Uint8Array<ArrayBuffer>>;
  #rest: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #done = 0;
  #onProgress: ((done: number) => void) | undefined;

  constructor({ chunks }: OpenedBytes, name: string) {
    this.#name = name;
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Calls `listener` now and whenever bytes came. */
  report(listener: (done: number) => void): void {
    this.#onProgress = listener;
    listener(this.#done);
  }

  /** `length` bytes, in memory of their own. @throws invalid-file if there are fewer */
  async take(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await this.takeUpTo(length);
    if (bytes.length < length) malformed(`${this.#name} ends after ${this.#done} bytes, in the middle of what its header names; is it complete?`);
    return bytes;
  }

  /** As many bytes as there are up to `length`. Nothing is set aside for bytes that only a header claims. */
  async takeUpTo(length: number): Promise<Uint8Array<ArrayBuffer>> {
    let bytes = new Uint8Array(Math.min(length, FIRST_ALLOCATION));
    let filled = 0;
    while (filled < length && (await this.#fill())) {
      const part = this.#rest.subarray(0, length - filled);
      if (filled + part.length > bytes.length) {
        const larger = withMemory(this.#name, () => new Uint8Array(Math.min(length, Math.max(2 * bytes.length, filled + part.length))));
        larger.set(bytes);
        bytes = larger;
      }
      bytes.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return bytes.subarray(0, filled);
  }

  async skip(length: number): Promise<void> {
    let left = length;
    while (left > 0) {
      if (!(await this.#fill())) malformed(`${this.#name} ends after ${this.#done} bytes, in the middle of what its header names; is it complete?`);
      const part = Math.min(left, this.#rest.length);
      this.#rest = this.#rest.subarray(part);
      left -= part;
    }
  }

  /** @throws invalid-file if there is more; whatever the source found out at its end */
  async expectEnd(): Promise<void> {
    if (await this.#fill()) malformed(`${this.#name} goes on after byte ${this.#done - this.#rest.length}, behind its last tensor`);
  }

  async drain(): Promise<void> {
    while (await this.#fill()) this.#rest = this.#rest.subarray(this.#rest.length);
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  /** Whether there is something left, after a new chunk if need be. */
  async #fill(): Promise<boolean> {
    while (this.#rest.length === 0) {
      const next = await this.#chunks.next();
      if (next.done) return false;
      this.#rest = next.value;
      this.#done += next.value.length;
      this.#onProgress?.(this.#done);
    }
    return true;
  }
}

/** Of what a header claims, so much is taken for granted. */
const FIRST_ALLOCATION = 16 * 2 ** 20;

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

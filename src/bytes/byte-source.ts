/** Where a file's bytes come from, as they arrive: a Blob, or an address, by way of the network or a cache. */
import { CompConvError, throwIfAborted } from '../errors.ts';
import { localFileAdvice, resolveAddress } from './address.ts';
import { cachedBytes, storing } from './caching.ts';
import { checkIntegrity, parseIntegrity } from './integrity.ts';
import type { ModelCache, Validators } from './model-cache.ts';

export interface ByteSource {
  /** For messages. */
  readonly name: string;
  /**
   * The bytes from the first on. May be called again.
   * @throws io, limit-exceeded, integrity, aborted; so does reading the chunks, which end only if all is right
   */
  open(signal?: AbortSignal): Promise<OpenedBytes>;
}

export interface OpenedBytes {
  /** Undefined where the server does not tell. */
  readonly byteLength: number | undefined;
  /** Whether it comes from a cache, where it may have been damaged; that is found out at its end. */
  readonly isCopy: boolean;
  /** Leaving the loop early cancels a download. */
  readonly chunks: AsyncIterable<Uint8Array<ArrayBuffer>>;
}

/** How a file is downloaded, kept and checked. */
export interface FetchOptions {
  /** Instead of `fetch`: for headers, credentials, retries. */
  readonly fetch?: typeof fetch | undefined;
  /** Keeps downloads for the next time: `true` for the cache of `openModelCache()`. Default none but the browser's own. */
  readonly cache?: boolean | ModelCache | undefined;
  /** SHA-256 that the file must have, 64 hexadecimal digits or `sha256-` and base64. With it a cached file is taken without asking the server. */
  readonly integrity?: string | undefined;
  /** The most bytes that the file may have. Default no limit. */
  readonly maxBytes?: number | undefined;
}

/** A Blob or File, read piece by piece. */
export function blobSource(blob: Blob, { integrity, maxBytes }: FetchOptions = {}): ByteSource {
  const name = 'name' in blob && blob.name ? String(blob.name) : 'the Blob';
  const expected = parseIntegrity(integrity);
  return {
    name,
    async open(signal) {
      throwIfAborted(signal);
      checkSize(name, blob.size, maxBytes);
      const chunks = streamChunks(name, blob.stream(), signal);
      return { byteLength: blob.size, isCopy: false, chunks: expected === undefined ? chunks : checkIntegrity(name, chunks, expected) };
    },
  };
}

/** A file at an address. @throws invalid-argument for what is no address, or a malformed `integrity` */
export function urlSource(url: string | URL, options: FetchOptions = {}): ByteSource {
  const { fetch: request = (...args) => fetch(...args), maxBytes } = options;
  const name = String(url);
  // One's own function may take others.
  if (!options.fetch) resolveAddress(url);
  const expected = parseIntegrity(options.integrity);
  const download = async (signal: AbortSignal | undefined, method: 'GET' | 'HEAD') => {
    try {
      return await request(url, { method, ...(signal && { signal }) });
    } catch (cause) {
      throwIfAborted(signal);
      throw new CompConvError('io', `${name}: could not be downloaded: ${(cause as Error).message}; ${localFileAdvice()}`, { cause });
    }
  };
  return {
    name,
    async open(signal) {
      throwIfAborted(signal);
      const isCurrent = async (validators: Validators) => {
        const response = await download(signal, 'HEAD').catch(() => undefined);
        throwIfAborted(signal);
        return response === undefined || (response.ok && agree(validators, validatorsOf(response)));
      };
      const cached = await cachedBytes(options.cache, name, expected, isCurrent);
      if (cached) {
        checkSize(name, cached.byteLength, maxBytes);
        return { byteLength: cached.byteLength, isCopy: true, chunks: streamChunks(name, cached.stream, signal, cached.check) };
      }
      const response = await download(signal, 'GET');
      if (!response.ok || !response.body) throw new CompConvError('io', `${name}: the server answered ${response.status} ${response.statusText}`);
      const byteLength = announcedLength(response);
      try {
        checkSize(name, byteLength, maxBytes);
      } catch (error) {
        await response.body.cancel().catch(() => {});
        throw error;
      }
      let chunks = streamChunks(name, response.body, signal);
      if (byteLength !== undefined || maxBytes !== undefined) chunks = counted(name, chunks, byteLength, maxBytes);
      if (expected !== undefined) chunks = checkIntegrity(name, chunks, expected);
      return { byteLength, isCopy: false, chunks: await storing(options.cache, name, chunks, validatorsOf(response)) };
    },
  };
}

/** A file that is there as a whole. @throws limit-exceeded, integrity, invalid-argument */
export async function checkBytes(bytes: Uint8Array, { integrity, maxBytes }: FetchOptions): Promise<void> {
  const expected = parseIntegrity(integrity);
  checkSize('the file', bytes.length, maxBytes);
  if (expected === undefined) return;
  async function* once() {
    yield bytes as Uint8Array<ArrayBuffer>;
  }
  for await (const _ of checkIntegrity('the file', once(), expected));
}

/** How many bytes will arrive; undefined where that is not known. */
function announcedLength(response: Response): number | undefined {
  const { headers } = response;
  // With a content encoding the length counts other bytes than those that arrive.
  if (headers.has('content-encoding') || mayHideEncoding(response)) return undefined;
  const length = headers.get('content-length') ?? '';
  // What is no number tells nothing.
  return /^\d+$/.test(length) ? Math.min(Number(length), Number.MAX_SAFE_INTEGER) : undefined;
}

/** Of another site's headers the length is shown, but the encoding only if the server exposes it; that it does shows only if it exposes this, too. */
function mayHideEncoding({ type, headers }: Response): boolean {
  return type === 'cors' && !/\*|content-encoding/i.test(headers.get('access-control-expose-headers') ?? '');
}

function checkSize(name: string, byteLength: number | undefined, maxBytes: number | undefined): void {
  if (byteLength === undefined || maxBytes === undefined || byteLength <= maxBytes) return;
  throw new CompConvError('limit-exceeded', `${name}: has ${byteLength} bytes, of which \`maxBytes\` allows ${maxBytes}`);
}

type Chunks = AsyncIterable<Uint8Array<ArrayBuffer>>;

/** A stream's chunks; leaving early cancels it, an abort ends it at once. */
async function* streamChunks(
  name: string,
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
  check: (chunks: Chunks) => Chunks = (chunks) => chunks,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield* check(read());
  async function* read(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const reader = stream.getReader();
    const onAbort = () => void reader.cancel(signal?.reason).catch(() => {});
    signal?.addEventListener('abort', onAbort);
    try {
      for (;;) {
        throwIfAborted(signal);
        const next = await reader.read();
        throwIfAborted(signal);
        if (next.done) return;
        yield next.value as Uint8Array<ArrayBuffer>;
      }
    } catch (cause) {
      if (cause instanceof CompConvError) throw cause;
      throwIfAborted(signal);
      throw new CompConvError('io', `${name}: the download broke off: ${(cause as Error).message}; try again`, { cause });
    } finally {
      signal?.removeEventListener('abort', onAbort);
      await reader.cancel().catch(() => {});
    }
  }
}

/** @throws io for other than the announced number of bytes; limit-exceeded */
async function* counted(name: string, chunks: Chunks, byteLength: number | undefined, maxBytes = Infinity): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let done = 0;
  for await (const chunk of chunks) {
    done += chunk.length;
    if (done > maxBytes) throw new CompConvError('limit-exceeded', `${name}: has more than the ${maxBytes} bytes that \`maxBytes\` allows`);
    yield chunk;
  }
  if (byteLength !== undefined && done !== byteLength) {
    throw new CompConvError('io', `${name}: ${done} bytes came, the server announced ${byteLength}; try again`);
  }
}

function validatorsOf({ headers }: Response): Validators {
  const [etag, lastModified, length] = ['etag', 'last-modified', 'content-length'].map((name) => headers.get(name) ?? undefined);
  // With a content encoding the length is of other bytes, and of other ones again without. One that is hidden costs a download at most.
  return { etag, lastModified, ...(!headers.has('content-encoding') && { length }) };
}

/** Whether the server's file is the one that was stored; not if nothing tells. Other sites hide their ETag. */
function agree(stored: Validators, served: Validators): boolean {
  const both = (['etag', 'lastModified', 'length'] as const).filter((name) => stored[name] !== undefined && served[name] !== undefined);
  return both.some((name) => name !== 'length') && both.every((name) => stored[name] === served[name]);
}

/** The whole file. @throws what the source does; out-of-memory */
export async function readAll(source: ByteSource, onProgress?: (done: number, total: number | undefined) => void, signal?: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  const { byteLength, chunks } = await source.open(signal);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let done = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    done += chunk.length;
    onProgress?.(done, byteLength);
  }
  try {
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  } catch (cause) {
    throw new CompConvError('out-of-memory', `${source.name}: there is no memory for its ${done} bytes in one piece: ${(cause as Error).message}`, { cause });
  }
}

/** Downloads by way of a cache, which may be in nobody's way: whatever fails in it, the file comes from the network. */
import { CompConvError } from '../errors.ts';
import { resolveAddress } from './address.ts';
import { hashed } from './integrity.ts';
import { openModelCache, parseCachedModel, type CachedModel, type ModelCache, type Validators } from './model-cache.ts';

type Chunks = AsyncIterable<Uint8Array<ArrayBuffer>>;

/** The copy in a cache was not what had been stored; it is deleted, so that whoever tries again gets the file itself. */
class DamagedCopyError extends CompConvError {
  constructor(url: string) {
    super('io', `${url}: its copy in the cache was damaged and is deleted; load it again`);
  }
}

/** Does `work` again if a damaged copy was in its way. */
export async function pastDamagedCopies<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DamagedCopyError)) throw error;
    return work();
  }
}

/** Tells of progress where there is more of it than ever: work that is done again, past a damaged copy, has nothing to tell until then. */
export function onlyMore<Rest extends unknown[]>(listener: (done: number, ...rest: Rest) => void): (done: number, ...rest: Rest) => void {
  let most = -1;
  return (done, ...rest) => {
    if (done <= most) return;
    most = done;
    listener(done, ...rest);
  };
}

/** A cached file, and what checks its bytes while they are read. */
export interface CachedBytes {
  readonly byteLength: number;
  readonly stream: ReadableStream<Uint8Array>;
  check(chunks: Chunks): AsyncGenerator<Uint8Array<ArrayBuffer>>;
}

/**
 * The copy of a file; undefined if there is none that is still good.
 * @param expected the SHA-256 that it must have; without one `isCurrent` says whether the server still has the same
 */
export async function cachedBytes(
  option: boolean | ModelCache | undefined,
  url: string,
  expected: string | undefined,
  isCurrent: (validators: Validators) => Promise<boolean>,
): Promise<CachedBytes | undefined> {
  const cache = cacheOf(option);
  const key = resolveAddress(url, 'http://localhost/');
  const found = await cache?.match(key).catch(() => undefined);
  if (!cache || !found) return undefined;
  const { stream } = found;
  // A cache may be the app's own.
  const about = parseCachedModel(found.about);
  const isGood = about !== undefined && (expected === undefined ? await isCurrent(about.validators) : about.sha256 === expected);
  if (!isGood) {
    await stream.cancel().catch(() => {});
    return undefined;
  }
  const check = (chunks: Chunks) =>
    hashed(chunks, async (sha256, byteLength) => {
      if (sha256 === about.sha256 && byteLength === about.byteLength) return;
      await cache.delete(key).catch(() => {});
      throw new DamagedCopyError(url);
    });
  return { byteLength: about.byteLength, stream, check };
}

/** Passes a download on and keeps it, once it has come to its end. */
export async function storing(option: boolean | ModelCache | undefined, url: string, chunks: Chunks, validators: Validators): Promise<Chunks> {
  const cache = cacheOf(option);
  const key = resolveAddress(url, 'http://localhost/');
  const writer = await cache?.store(key).catch(() => undefined);
  if (!writer) return chunks;
  return stored();

  async function* stored(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    let isStored = true;
    let content: Pick<CachedModel, 'sha256' | 'byteLength'> | undefined;
    try {
      for await (const chunk of hashed(chunks, (sha256, byteLength) => void (content = { sha256, byteLength }))) {
        // Full, or the like: then it is not stored.
        if (isStored) isStored = await writer!.write(chunk).then(() => true, () => false);
        yield chunk;
      }
    } finally {
      if (isStored && content) {
        const about = { url: key, ...content, storedAt: new Date().toISOString(), validators };
        await writer!.commit(about).catch(() => {});
      } else {
        await writer!.abort().catch(() => {});
      }
    }
  }
}

function cacheOf(option: boolean | ModelCache | undefined): ModelCache | undefined {
  if (option !== true) return option || undefined;
  try {
    return openModelCache();
  } catch {
    return undefined; // In Node, say.
  }
}

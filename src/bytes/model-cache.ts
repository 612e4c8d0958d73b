/**
 * Downloaded files, kept in the Cache API by address and content: a file's bytes, and beside them what is known of them, written last,
 * so that a file without it is none.
 */
import { CompConvError } from '../errors.ts';

/** What tells one version of a file from another, as the server says it. */
export interface Validators {
  readonly etag?: string | undefined;
  readonly lastModified?: string | undefined;
  readonly length?: string | undefined;
}

/** A file in a cache. */
export interface CachedModel {
  readonly url: string;
  readonly byteLength: number;
  /** Of its content, in hexadecimal. */
  readonly sha256: string;
  /** When it was stored, ISO 8601. */
  readonly storedAt: string;
  readonly validators: Validators;
}

/** Where downloads are kept. One that fails is as good as an empty one. */
export interface ModelCache {
  /** What there is, without the bytes. */
  list(): Promise<CachedModel[]>;
  /** A file with its bytes. */
  match(url: string): Promise<{ readonly about: CachedModel; readonly stream: ReadableStream<Uint8Array> } | undefined>;
  /** Begins to store a file; it is there once it is committed. */
  store(url: string): Promise<CacheWriter>;
  /** @returns whether it was there */
  delete(url: string): Promise<boolean>;
  /** Deletes all files. */
  clear(): Promise<void>;
}

/** A file that is being stored. Either `commit` or `abort` comes last. */
export interface CacheWriter {
  /** Resolves when more may come. */
  write(chunk: Uint8Array<ArrayBuffer>): Promise<void>;
  /** The bytes are complete. */
  commit(about: CachedModel): Promise<void>;
  /** Leaves nothing. */
  abort(): Promise<void>;
}

/**
 * The downloads that `loadModel` keeps with `cache: true`, in this browser, for this site.
 * @param name of the cache, for sites that want several
 * @throws io where there is no Cache API: in Node, and on pages without https
 */
export function openModelCache(name = 'compconv-webgpu'): ModelCache {
  if (typeof caches === 'undefined') throw new CompConvError('io', 'there is no Cache API here: it takes a browser, and a page over https or localhost');
  const open = () => caches.open(name);
  return {
    async list() {
      const cache = await open();
      const requests = (await cache.keys()).filter(({ url }) => url.startsWith(ABOUT));
      const found = await Promise.all(requests.map(async (request) => readAbout(await cache.match(request))));
      return found.filter((about) => about !== undefined);
    },
    async match(url) {
      const cache = await open();
      const [about, body] = await Promise.all([cache.match(aboutKey(url)).then(readAbout), cache.match(url)]);
      return about && body?.body ? { about, stream: body.body } : undefined;
    },
    async store(url) {
      const cache = await open();
      // Passed on at the pace at which it is stored, so that nothing piles up in between.
      const { readable, writable } = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>();
      const writer = writable.getWriter();
      const stored = cache.put(url, new Response(readable));
      stored.catch((error: unknown) => writer.abort(error).catch(() => {}));
      writer.closed.catch(() => {});
      return {
        write: (chunk) => writer.write(chunk),
        async commit(about) {
          await writer.close();
          await stored;
          await cache.put(aboutKey(url), new Response(JSON.stringify(about)));
        },
        async abort() {
          await writer.abort().catch(() => {});
          await stored.catch(() => {});
        },
      };
    },
    async delete(url) {
      const cache = await open();
      const found = await Promise.all([cache.delete(aboutKey(url)), cache.delete(url)]);
      return found.includes(true);
    },
    async clear() {
      await caches.delete(name);
    },
  };
}

/** What is known of a file; undefined for anything else that lies there. */
async function readAbout(response: Response | undefined): Promise<CachedModel | undefined> {
  return parseCachedModel(await response?.json().catch(() => undefined));
}

/** A description of a file as a cache gave it; undefined unless it is one through and through. */
export function parseCachedModel(value: unknown): CachedModel | undefined {
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
  const isText = (value: unknown) => typeof value === 'string';
  if (!isObject(value) || !isObject(value['validators'])) return undefined;
  const { byteLength, validators } = value;
  const areTexts = [value['url'], value['sha256'], value['storedAt']].every(isText);
  const areValidators = ['etag', 'lastModified', 'length'].every((name) => validators[name] === undefined || isText(validators[name]));
  return areTexts && areValidators && Number.isSafeInteger(byteLength) && (byteLength as number) >= 0 ? (value as unknown as CachedModel) : undefined;
}

/** An address that no file has. */
const ABOUT = 'https://about.compconv-webgpu.invalid/';

function aboutKey(url: string): string {
  return `${ABOUT}${encodeURIComponent(url)}`;
}

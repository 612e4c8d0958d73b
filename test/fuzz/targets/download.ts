/** Downloads and their cache: the whole file as it was sent, or an error that says why; and a cache is in nobody's way, whatever lies in it. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { readAll, urlSource } from '../../../src/bytes/byte-source.ts';
import { pastDamagedCopies } from '../../../src/bytes/caching.ts';
import { openModelCache } from '../../../src/bytes/model-cache.ts';
import { collectWeights, openSafetensors } from '../../../src/weights/safetensors-source.ts';
import { writeSafetensors } from '../../../src/weights/write-safetensors.ts';
import { chunkSizes, damaged, damages, editedJson, inChunks, jsonEdits } from '../mutations.ts';
import { mustEqual, outcomeOf } from '../outcome.ts';
import { defineTarget } from '../target.ts';

const URL_OF_FILE = 'http://localhost/model.safetensors';
const VALUES = Float32Array.from({ length: 100 }, (_, i) => i / 7);
const FILE = writeSafetensors([['a', { shape: [100], data: VALUES }]]);
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

const response = fc.record({
  chunks: chunkSizes,
  damages: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, damages),
  status: fc.oneof({ weight: 9, arbitrary: fc.constant(200) }, fc.constantFrom(204, 304, 404, 500)),
  length: fc.oneof({ weight: 4, arbitrary: fc.constantFrom('right', undefined) }, fc.constantFrom('0', '-5', '1e3', '0x10', '1.5', '9', 'abc', '', '10, 10', '9007199254740993', '1'.repeat(400))),
  isEncoded: fc.boolean(),
  /** After so many chunks the connection breaks. */
  breaksAfter: fc.option(fc.nat(3), { nil: undefined, freq: 4 }),
  maxBytes: fc.constantFrom(undefined, undefined, 0, 100, FILE.length, 1e9),
  isVerified: fc.boolean(),
});
type ResponsePlan = typeof response extends fc.Arbitrary<infer T> ? T : never;

function respond({ chunks, status, length, isEncoded, breaksAfter = Infinity }: ResponsePlan, body: Uint8Array<ArrayBuffer>): Response {
  const parts = inChunks(body, chunks);
  let sent = 0;
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (sent >= breaksAfter) controller.error(new TypeError('network error'));
      else if (sent === parts.length) controller.close();
      else controller.enqueue(parts[sent++]);
    },
  });
  const headers = {
    ...(length !== undefined && { 'content-length': length === 'right' ? String(body.length) : length }),
    ...(isEncoded && { 'content-encoding': 'gzip' }),
  };
  return new Response(status === 204 || status === 304 ? null : stream, { status, headers });
}

export const downloads = defineTarget('download', 300, response, async (plan) => {
  const body = damaged(FILE, plan.damages);
  const source = urlSource(URL_OF_FILE, { fetch: async () => respond(plan, body), ...(plan.maxBytes !== undefined && { maxBytes: plan.maxBytes }), ...(plan.isVerified && { integrity: sha256(FILE) }) });
  const { value } = await outcomeOf(['io', 'limit-exceeded', 'integrity'], () => readAll(source));
  const { status, length, isEncoded, breaksAfter = Infinity, maxBytes = Infinity, isVerified, chunks } = plan;
  const announced = isEncoded || length === undefined || length === 'right' || !/^\d+$/.test(length) ? body.length : Number(length);
  const isWhole = status === 200 && announced === body.length && inChunks(body, chunks).length < breaksAfter;
  const isWanted = body.length <= maxBytes && (!isVerified || sha256(body) === sha256(FILE));
  mustEqual(value, isWhole && isWanted ? body : undefined, 'downloaded');

  // The reader of tensors takes the same headers.
  const opened = await outcomeOf(['io', 'limit-exceeded', 'integrity', 'invalid-file'], async () => collectWeights(await openSafetensors(source)));
  if (opened.value && (!isWhole || !isWanted)) throw new Error('weights of a broken download');
});

/** The Cache API, as far as it is used here. */
class MemoryCaches {
  readonly entries = new Map<string, Uint8Array<ArrayBuffer>>();
  readonly #key = (request: string | Request) => (typeof request === 'string' ? request : request.url);

  async open() {
    return {
      match: async (request: string | Request) => {
        const bytes = this.entries.get(this.#key(request));
        return bytes && new Response(new Blob([bytes]).stream());
      },
      put: async (request: string | Request, response: Response) => void this.entries.set(this.#key(request), new Uint8Array(await response.arrayBuffer())),
      delete: async (request: string | Request) => this.entries.delete(this.#key(request)),
      keys: async () => [...this.entries.keys()].map((url) => new Request(url)),
    };
  }

  async delete() {
    this.entries.clear();
    return true;
  }
}

const cached = fc.record({
  about: fc.record({ edits: jsonEdits, damages: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, damages) }),
  body: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, damages),
  isVerified: fc.boolean(),
  isOffline: fc.boolean(),
  isStreamed: fc.boolean(),
});

export const caches = defineTarget('cache', 150, cached, async ({ about, body, isVerified, isOffline, isStreamed }) => {
  const memory = new MemoryCaches();
  const before = globalThis.caches;
  globalThis.caches = memory as unknown as CacheStorage;
  try {
    let isStored = false;
    const headers = { etag: '"1"', 'content-length': String(FILE.length) };
    const request = async (_: unknown, { method }: RequestInit = {}) => {
      // The server is asked whether a copy is still good; offline it is taken to be.
      if (isStored && isOffline && method === 'HEAD') throw new TypeError('offline');
      return new Response(method === 'HEAD' ? null : FILE, { headers });
    };
    const source = urlSource(URL_OF_FILE, { fetch: request as typeof fetch, cache: true, ...(isVerified && { integrity: sha256(FILE) }) });
    await readAll(source);
    isStored = true;
    const aboutUrl = [...memory.entries.keys()].find((url) => url !== URL_OF_FILE)!;
    const stored = JSON.parse(Buffer.from(memory.entries.get(aboutUrl)!).toString()) as unknown;
    memory.entries.set(aboutUrl, damaged(Buffer.from(editedJson(stored, about.edits)), about.damages));
    memory.entries.set(URL_OF_FILE, damaged(FILE, body));

    for (const { url, byteLength, sha256, storedAt } of await openModelCache().list()) {
      mustEqual([typeof url, typeof byteLength, typeof sha256, typeof storedAt], ['string', 'number', 'string', 'string'], 'a listed file');
    }
    const read = isStreamed
      ? async () => (await collectWeights(await openSafetensors(source))).get('a').data
      : async () => new Float32Array((await readAll(source)).buffer, FILE.length - 4 * VALUES.length);
    const { value, error } = await outcomeOf([], () => pastDamagedCopies(read));
    mustEqual(value && [...value], [...VALUES], `what was loaded (${error?.message ?? 'no error'})`);
  } finally {
    globalThis.caches = before;
  }
});

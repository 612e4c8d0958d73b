/** A cache is in nobody's way: whatever it gives, the file is loaded. */
import { expect, test } from 'vitest';
import { readAll, urlSource } from '../../src/bytes/byte-source.ts';
import { onlyMore, pastDamagedCopies } from '../../src/bytes/caching.ts';
import type { CachedModel, ModelCache } from '../../src/bytes/model-cache.ts';

const FILE = Uint8Array.of(1, 2, 3);
const SHA256 = '039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81';
const ABOUT: CachedModel = { url: 'http://localhost/file', byteLength: 3, sha256: SHA256, storedAt: '2026-11-28T00:00:00Z', validators: { etag: '"1"' } };

/** A cache of the app's own, with a copy of the file. */
function cacheWith(about: unknown): ModelCache {
  let isThere = true;
  return {
    list: async () => [],
    match: async () => (isThere ? { about: about as CachedModel, stream: new Blob([FILE]).stream() } : undefined),
    store: async () => Promise.reject(new Error('full')),
    delete: async () => !(isThere = false),
    clear: async () => {},
  };
}

test.each<[string, unknown, string[]]>([
  ['what it should', ABOUT, ['HEAD']],
  ['another length', { ...ABOUT, byteLength: 2 }, ['HEAD', 'GET']],
  ['another hash', { ...ABOUT, sha256: SHA256.replace('0', '1') }, ['HEAD', 'GET']],
  ['nothing', null, ['GET']],
  ['no validators', { ...ABOUT, validators: undefined }, ['GET']],
  ['a length that is none', { ...ABOUT, byteLength: 'x' }, ['GET']],
  ['a validator that is none', { ...ABOUT, validators: { etag: 1 } }, ['GET']],
])('a description of %s', async (_what, about, expected) => {
  const requests: string[] = [];
  const request = async (_: unknown, { method = 'GET' }: RequestInit = {}) => {
    requests.push(method);
    return new Response(method === 'HEAD' ? null : FILE, { headers: { etag: '"1"' } });
  };
  const source = urlSource(ABOUT.url, { fetch: request as typeof fetch, cache: cacheWith(about) });
  expect(await pastDamagedCopies(() => readAll(source))).toEqual(FILE);
  expect(requests).toEqual(expected);
});

test('work that is done again tells only of what is new', () => {
  const told: [number, string][] = [];
  const tell = onlyMore((done, what: string) => told.push([done, what]));
  for (const done of [0, 2, 2, 3, 0, 1, 3, 4]) tell(done, 'bytes');
  expect(told).toEqual([0, 2, 3, 4].map((done) => [done, 'bytes']));
});

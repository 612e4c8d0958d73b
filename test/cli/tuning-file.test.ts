/** Tuning records in a file: round trips, what is no such file, what cannot be written. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { defaultTuningPath, fileTuningCache } from '../../cli/tuning-file.ts';
import type { TuningRecord } from '../../src/index.ts';

const record = (chosen: string): TuningRecord => ({
  adapter: 'some GPU',
  signatures: { 'conv2d 1 2': { chosen, timesMs: { [chosen]: 0.25, b: 0.5 }, excluded: { c: 'does not compile' } } },
});

let folder: string;
let count = 0;
let path: string;
let warnings: string[];

beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'compconv-tuning-'))));
afterAll(() => rm(folder, { recursive: true }));
beforeEach(() => {
  path = join(folder, `${count++}`, 'deeper', 'tuning.json');
  warnings = [];
});
const open = () => fileTuningCache(path, (message) => warnings.push(message));

test('records are read back as they were, by key, the last one set', async () => {
  expect(await open().get('a')).toBeUndefined();
  await open().set('a', record('x'));
  await open().set('b', record('y'));
  await open().set('a', record('z'));
  expect(await open().get('a')).toEqual(record('z'));
  expect(await open().get('b')).toEqual(record('y'));
  expect(await open().get('c')).toBeUndefined();
  // Nothing is left of the writing.
  expect(await readdir(join(path, '..'))).toEqual(['tuning.json']);
  expect(warnings).toEqual([]);
});

test('old records go at some point', async () => {
  for (let i = 0; i < 40; i++) await open().set(`key ${i}`, record('x'));
  expect(await open().get('key 0')).toBeUndefined();
  expect(await open().get('key 39')).toEqual(record('x'));
});

test.each([
  ['no JSON', '{"version": 1, "rec'],
  ['nothing', ''],
  ['another version', JSON.stringify({ version: 2, records: {} })],
  ['no records', JSON.stringify({ version: 1 })],
  ['null', 'null'],
  ['a time that is none', JSON.stringify({ version: 1, records: { a: { adapter: '', signatures: { s: { chosen: 'x', timesMs: { x: '1' }, excluded: {} } } } } })],
  ['a time without end', '{"version":1,"records":{"a":{"adapter":"","signatures":{"s":{"chosen":"x","timesMs":{"x":1e999},"excluded":{}}}}}}'],
  ['a record that is none', JSON.stringify({ version: 1, records: { a: [] } })],
])('a file with %s counts as empty, is told once, and is moved aside', async (_what, text) => {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, text);
  const cache = open();
  expect(await cache.get('a')).toBeUndefined();
  expect(await cache.get('a')).toBeUndefined();
  expect(warnings).toEqual([expect.stringContaining(`${path}: is no file of tuning results`)]);
  await cache.set('a', record('x'));
  expect(await open().get('a')).toEqual(record('x'));
  expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ version: 1, records: { a: record('x') } });
  expect(await readFile(`${path}.bak`, 'utf8')).toBe(text);
});

test('a file that cannot be read or written is an error that names it', async () => {
  await mkdir(path, { recursive: true });
  await expect(open().get('a')).rejects.toMatchObject({ code: 'io', message: `${path}: cannot be read: it is a folder` });
  const below = fileTuningCache(join(folder, 'file', 'tuning.json'), () => {});
  await writeFile(join(folder, 'file'), '');
  await expect(below.set('a', record('x'))).rejects.toMatchObject({ code: 'io' });
});

test('the default path is in the cache folder of the user', () => {
  expect(defaultTuningPath({ platform: 'linux', env: {} }, '/home/a')).toBe('/home/a/.cache/compconv-webgpu/tuning.json');
  expect(defaultTuningPath({ platform: 'darwin', env: {} }, '/Users/a')).toBe('/Users/a/Library/Caches/compconv-webgpu/tuning.json');
  expect(defaultTuningPath({ platform: 'linux', env: { XDG_CACHE_HOME: '/tmp/c' } }, '/home/a')).toBe('/tmp/c/compconv-webgpu/tuning.json');
});

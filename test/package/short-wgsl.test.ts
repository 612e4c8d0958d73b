/** Shaders are shortened in builds without becoming other ones: with the long names put back they are the same, word by word. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, test } from 'vitest';
import { shorten, shortNames } from '../../scripts/short-wgsl.ts';

const folder = fileURLToPath(new URL('../../shaders', import.meta.url));
const sources = new Map(readdirSync(folder).map((file) => [file, readFileSync(join(folder, file), 'utf8')]));
const names = shortNames([...sources.values()]);
const longNames = new Map([...names].map(([long, short]) => [short, long]));

/** Numbers, words and signs, without space and comments. */
const words = (code: string) => code.replace(/\/\/.*$/gm, '').match(/\d[\w.]*|\w+|[^\s\w]/g)!;

test.each([...sources])('%s is the same with the long names', (_file, code) => {
  expect(words(shorten(code, names)).map((word) => longNames.get(word) ?? word)).toEqual(words(code));
});

test('all together have less than half of their length', () => {
  const short = [...sources.values()].map((code) => shorten(code, names));
  expect(short.join('').length).toBeLessThan([...sources.values()].join('').length / 2);
});

it('gives no two names the same one, and none that there is already', () => {
  expect(longNames.size).toBe(names.size);
  const all = new Set([...sources.values()].flatMap(words));
  expect([...longNames.keys()].filter((short) => all.has(short))).toEqual([]);
});

it('keeps what the host or the language names', () => {
  const code = `
    override SIZE: u32 = 8; // of a tile
    struct Sizes { pixels: u32, rgb: vec3f }
    @group(0) @binding(0) var<storage, read> values: array<Stored>;
    fn total(group: u32, step: f32) -> f32 { let xyz = vec3f(step(0.5, 1e-5)); return xyz.x - -values[group].x; }
    @compute @workgroup_size(SIZE)
    fn resizeRows() { let sum = total(pixel(0u), max(1, 2)); }`;
  const made = shortNames([code]);
  expect([...made.keys()].sort()).toEqual(['Sizes', 'pixels', 'sum', 'total', 'values']);
  expect(shorten(code, made)).toContain('- -');
});

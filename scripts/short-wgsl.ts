/**
 * A Vite plugin that shortens the shaders in builds: no comments, no needless space, and short names. One name becomes one other name
 * in all files of `shaders/`, and no two the same, so that files that are joined at run time still fit, in whatever order.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';

const SHADERS = fileURLToPath(new URL('../shaders', import.meta.url));

/** Names that code of the host's has, too: `preprocess-kernels.ts` writes a source's binding in front of a shader. */
const OF_THE_HOST = ['source', 'pixel', 'levelOf'];

export function shortWgsl(): Plugin {
  let names: ReadonlyMap<string, string>;
  return {
    name: 'short-wgsl',
    apply: 'build',
    enforce: 'pre',
    buildStart() {
      const files = readdirSync(SHADERS).sort();
      names = shortNames(files.map((file) => readFileSync(join(SHADERS, file), 'utf8')));
    },
    async load(id) {
      if (!id.endsWith('.wgsl?raw')) return undefined;
      const path = id.replace(/\?raw$/, '');
      const code = await readFile(path, 'utf8');
      return `export default ${JSON.stringify(shorten(code, path.startsWith(SHADERS) ? names : new Map()))}`;
    },
  };
}

/** A number, of which an exponent or suffix is no name, or a word, or any other character. */
const TOKEN = /\d[\w.]*|[A-Za-z_]\w*|\s+|./gs;
const WORD = /^[A-Za-z_]/;

function tokensOf(code: string): string[] {
  return code.replace(/\/\/.*$/gm, '').match(TOKEN) ?? [];
}

/** Code without comments and needless space, its words replaced by `names`. Lines that are left stay apart, for messages of compilers. */
export function shorten(code: string, names: ReadonlyMap<string, string>): string {
  return tokensOf(code)
    .map((token) => names.get(token) ?? token)
    .join('')
    .replace(/\s*\n\s*/g, '\n')
    .replace(/[ \t]+/g, ' ')
    // `a - -b` keeps its space.
    .replace(/ ?([^\w\s-]) ?/g, '$1')
    .trim();
}

/**
 * Short names for the words that sources declare, the most frequent ones first. Not for those that a host names: entry points and
 * overrides; nor for those that mean something else in another place: swizzles, functions of the language.
 */
export function shortNames(sources: readonly string[]): Map<string, string> {
  const code = sources.map((source) => tokensOf(source).join('')).join('\n');
  const all = (pattern: RegExp) => new Set([...code.matchAll(pattern)].map(([, name]) => name));
  const functions = all(/\b(?:fn|struct|alias)\s+(\w+)/g);
  const declared = new Set([...functions, ...all(/\b(?:let|var|const)\s+(\w+)/g), ...all(/\b([A-Za-z_]\w*)\s*:/g)]);
  const ofTheHost = new Set([...OF_THE_HOST, ...all(/\boverride\s+(\w+)/g), ...all(/@compute[^{]*?\bfn\s+(\w+)/g)]);
  const called = all(/\b([A-Za-z_]\w*)[(<]/g);

  const words = tokensOf(code).filter((token) => WORD.test(token));
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const isFree = (name: string) =>
    name.length > 1 && declared.has(name) && !ofTheHost.has(name) && !/^[xyzwrgba]{1,4}$/.test(name) && (functions.has(name) || !called.has(name));
  const long = [...counts.keys()].filter(isFree).sort((a, b) => counts.get(b)! - counts.get(a)!);
  const short = unusedNames(new Set([...words, ...ofTheHost]));
  return new Map(long.map((name) => [name, short.next().value!]));
}

/** Names of one letter, then of two, that are no words of the language. */
function* unusedNames(used: ReadonlySet<string>): Generator<string, never> {
  const letters = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'];
  const reserved = new Set(['as', 'do', 'fn', 'if', 'of', 'is', 'in', 'or']);
  for (let names = letters; ; names = letters.flatMap((first) => names.map((rest) => first + rest))) {
    for (const name of names) if (!used.has(name) && !reserved.has(name)) yield name;
  }
}

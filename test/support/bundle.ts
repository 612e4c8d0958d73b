/** Apps of a few lines that import the packed package, bundled as their authors would, and what of that a page loads. */
import { readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build as buildWithEsbuild } from 'esbuild';
import { build as buildWithVite, parseSync, type Rolldown } from 'vite';
import { packedPackage } from './package.ts';

export interface BundledFile {
  readonly name: string;
  readonly code: string;
  /** Names of the package's files, and of other modules, of which there is something in it: `engine`, `wgpu-matrix.module`. */
  readonly of: readonly string[];
}

/** A minified bundle. */
export interface Bundle {
  /** What a page loads before anything else: the app, and all that is imported statically. */
  readonly first: readonly BundledFile[];
  /** What is loaded when it is used. */
  readonly lazy: readonly BundledFile[];
}

/** Bytes of files, each compressed as servers do. */
export function gzippedBytes(files: readonly BundledFile[]): number {
  return files.reduce((sum, { code }) => sum + gzipSync(code, { level: 9 }).length, 0);
}

/** The names of all that is in files. */
export function contentsOf(files: readonly BundledFile[]): string[] {
  return files.flatMap((file) => file.of);
}

/** By Vite, in parts. @param code a module */
export async function viteBundle(code: string): Promise<Bundle> {
  const { app } = await packedPackage();
  const entry = join(app, 'app.js');
  const built = await buildWithVite({
    configFile: false,
    root: app,
    logLevel: 'error',
    plugins: [{ name: 'app', resolveId: (id) => (id === entry ? id : undefined), load: (id) => (id === entry ? code : undefined) }],
    build: {
      write: false,
      target: 'es2022',
      modulePreload: false,
      rolldownOptions: { input: entry, preserveEntrySignatures: 'strict', external: /^onnxruntime-web/ },
    },
  });
  const chunks = (built as Rolldown.RolldownOutput).output.filter((file) => file.type === 'chunk');
  return divide(
    chunks.map(({ fileName, code, imports, isEntry, modules }) => ({ name: fileName, code, of: Object.keys(modules).map(stemOf), imports, isEntry })),
  );
}

/** By esbuild, as one file, lazy parts included. @param code a module */
export async function esbuildBundle(code: string): Promise<Bundle> {
  const { app } = await packedPackage();
  const { outputFiles, metafile } = await buildWithEsbuild({
    stdin: { contents: code, resolveDir: app },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    metafile: true,
    write: false,
    external: ['onnxruntime-web/*'],
  });
  const [{ inputs }] = Object.values(metafile.outputs);
  const of = Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [stemOf(path)] : []));
  return { first: [{ name: 'app.js', code: outputFiles[0].text, of }], lazy: [] };
}

/** An entry of the package and all that it imports statically: what a page with an import map loads. */
export async function unbundled(entry: string): Promise<BundledFile[]> {
  const { folder } = await packedPackage();
  const files = new Map<string, BundledFile>();
  const load = async (path: string): Promise<void> => {
    if (files.has(path)) return;
    const code = await readFile(path, 'utf8');
    files.set(path, { name: relative(folder, path), code, of: [stemOf(path)] });
    const own = importsOf(path, code).static.filter((name) => name.startsWith('.'));
    await Promise.all(own.map((name) => load(join(path, '..', name))));
  };
  await load(join(folder, 'dist', `${entry}.mjs`));
  return [...files.values()];
}

/** What a module imports, by its own words. */
export function importsOf(path: string, code: string): { readonly static: string[]; readonly dynamic: string[] } {
  const { module } = parseSync(path, code);
  // The argument as it is written; all are literals but the name of a build for Node, which bundlers are not to follow.
  const dynamic = module.dynamicImports.map(({ moduleRequest: { start, end } }) => code.slice(start, end).replace(/^(['"`])(.*)\1$/, '$2'));
  const exported = module.staticExports.flatMap(({ entries }) => entries.flatMap(({ moduleRequest }) => (moduleRequest ? [moduleRequest.value] : [])));
  return { static: [...new Set([...module.staticImports.map(({ moduleRequest }) => moduleRequest.value), ...exported])], dynamic };
}

type ImportingFile = BundledFile & { readonly imports: readonly string[]; readonly isEntry: boolean };

function divide(files: readonly ImportingFile[]): Bundle {
  const first = new Set(files.filter(({ isEntry }) => isEntry));
  // Sets go on with what is added on the way.
  for (const { imports } of first) for (const file of files) if (imports.includes(file.name)) first.add(file);
  return { first: [...first], lazy: files.filter((file) => !first.has(file)) };
}

/** `…/chunks/engine.mjs` is `engine`. */
function stemOf(path: string): string {
  return /([^/\\]+)\.m?js$/.exec(path)?.[1] ?? path;
}

/**
 * The package as npm would publish it: built, packed and unpacked again, for the tests of `test/package/` and of the examples. Built once for the same
 * sources: what was made lies in a cache, under a hash of all that it is made of.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { parseTar } from 'nanotar';
import { npmCommand } from '../../scripts/ensure-installed.mjs';
import { runNode } from './run-node.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Inside the repository, so that dependencies are found. */
const cache = join(root, 'node_modules/.cache/compconv');
const INPUTS = ['src', 'shaders', 'cli', 'bench', 'scripts/short-wgsl.ts', 'vite.config.ts', 'tsconfig.json', 'tsconfig.types.json', 'package.json', 'package-lock.json'];
const BESIDE = ['package.json', 'README.md', 'LICENSE'];

export interface PackedPackage {
  /** The `.tgz`. */
  readonly tarball: string;
  /** An app's folder, in which modules import `compconv-webgpu`. */
  readonly app: string;
  /** What the tarball holds: `<app>/node_modules/compconv-webgpu`. */
  readonly folder: string;
}

/** The package, from the cache or built now: some seconds. */
export async function packedPackage(): Promise<PackedPackage> {
  const home = join(cache, `package-${await hashOfInputs()}`);
  if (!existsSync(home)) {
    // Made aside: of two test files that come first at the same time, both make one, and the last to be done finds its work unneeded.
    const making = `${home}-${process.pid}`;
    await make(making);
    await rename(making, home).catch(() => rm(making, { recursive: true }));
  }
  return { tarball: join(home, 'package.tgz'), app: join(home, 'app'), folder: join(home, 'app/node_modules/compconv-webgpu') };
}

/**
 * Installs the package into an app's folder outside the repository, with its dependencies and no other package, but for those of
 * `besides`, which are the repository's.
 */
export async function installPackage(app: string, besides: readonly string[] = []): Promise<void> {
  const { folder } = await packedPackage();
  await cp(folder, join(app, 'node_modules/compconv-webgpu'), { recursive: true });
  const { dependencies } = await readManifest(folder);
  for (const name of new Set([...Object.keys(dependencies ?? {}), ...besides])) {
    const path = join(app, 'node_modules', name);
    await mkdir(dirname(path), { recursive: true });
    await symlink(join(root, 'node_modules', name), path, 'junction');
  }
}

/** What tests read of a package.json. */
export interface Manifest {
  readonly name: string;
  readonly exports?: Record<string, string | Record<string, string>>;
  readonly scripts?: Record<string, string>;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
  readonly peerDependenciesMeta?: Record<string, { readonly optional?: boolean }>;
}

export async function readManifest(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;
}

async function hashOfInputs(): Promise<string> {
  const hash = createHash('sha256');
  for (const input of INPUTS) {
    const inside = await readdir(join(root, input), { recursive: true, withFileTypes: true }).catch(() => undefined);
    const files = inside?.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name)) ?? [join(root, input)];
    for (const file of files.sort()) hash.update(file).update(await readFile(file));
  }
  return hash.digest('hex').slice(0, 16);
}

async function make(home: string): Promise<void> {
  await mkdir(join(home, 'built'), { recursive: true });
  const dist = join(home, 'built/dist');
  for (const mode of ['lib', 'cli']) await tool('vite/bin/vite.js', 'build', '--mode', mode, '--outDir', dist, '--logLevel', 'error');
  await tool('typescript/bin/tsc', '-p', 'tsconfig.types.json', '--outDir', join(dist, 'types'));
  for (const name of BESIDE) await copyFile(join(root, name), join(home, 'built', name));

  await npm(join(home, 'built'), 'pack', '--ignore-scripts', '--pack-destination', home);
  const [packed] = (await readdir(home)).filter((name) => name.endsWith('.tgz'));
  await rename(join(home, packed), join(home, 'package.tgz'));
  await rm(join(home, 'built'), { recursive: true });
  await writeFile(join(home, 'package.json'), '{ "type": "module" }');
  for (const { name, data } of parseTar(gunzipSync(await readFile(join(home, 'package.tgz'))))) {
    const path = join(home, 'app/node_modules', name.replace(/^package\//, 'compconv-webgpu/'));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, data!);
  }
}

/** Runs a tool from node_modules. */
async function tool(script: string, ...args: string[]): Promise<void> {
  const { status, stdout, stderr } = await runNode([join(root, 'node_modules', script), ...args]);
  if (status !== 0) throw new Error(`${script} ${args.join(' ')} failed:\n${stdout}${stderr}`);
}

/** Runs npm, with the tools of the repository. */
export async function npm(cwd: string, ...args: string[]): Promise<void> {
  const { command, args: all, shell } = npmCommand(...args);
  // Vitest's NODE_ENV would be a build's, too.
  const { NODE_ENV: _, PATH, ...env } = process.env;
  const child = spawn(command, all, { cwd, shell, env: { ...env, PATH: [join(root, 'node_modules/.bin'), PATH].join(delimiter) } });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const status = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed:\n${output}`);
}

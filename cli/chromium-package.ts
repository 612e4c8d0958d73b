/**
 * The dev dependency `@sparticuz/chromium` as a source of files: a headless Chromium for Linux x64 and, beside it, the
 * SwiftShader software driver for Vulkan with a Vulkan loader. They let a machine with nothing but Node run WebGPU.
 *
 * The package's own unpacker writes to the shared temporary folder, trusts whatever already lies there, and changes
 * this process's environment. So its archives are unpacked here instead, into a private folder inside `node_modules`,
 * one part at a time: a Node process needs only the driver (15 MB, not 200).
 */

import { constants } from 'node:fs';
import { access, chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, normalize } from 'node:path';
import { promisify } from 'node:util';
import { brotliDecompress } from 'node:zlib';
import { parseTar } from 'nanotar';

/** `swiftshader`: driver and loader; `chromium`: the browser; `libraries`: NSS and expat; `fonts`: Open Sans. */
export type ChromiumPart = 'swiftshader' | 'chromium' | 'libraries' | 'fonts';

const ARCHIVES: Record<ChromiumPart, string> = {
  swiftshader: 'swiftshader.tar.br',
  chromium: 'chromium.br',
  libraries: 'al2023.tar.br',
  fonts: 'fonts.tar.br',
};

export interface ChromiumPackage {
  version: string;
  /** Unpacks the parts where they are not unpacked yet; returns the folder that holds them. */
  unpack(...parts: ChromiumPart[]): Promise<string>;
}

/** Finds the package if it is installed and its binaries run here. */
export async function findChromiumPackage(): Promise<ChromiumPackage | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  let root: string;
  try {
    // Held in a variable, so that a bundler leaves this optional look-up for run time.
    const name = '@sparticuz/chromium';
    root = dirname(dirname(dirname(createRequire(import.meta.url).resolve(name))));
  } catch {
    return undefined;
  }
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
  return {
    version,
    async unpack(...parts) {
      const folder = await privateFolder(join(dirname(dirname(root)), '.cache'), `chromium-${version}`);
      for (const part of parts) await unpackPart(join(root, 'bin', ARCHIVES[part]), folder);
      return folder;
    },
  };
}

/** `<cache>/compconv/<name>`, readable by this user alone; in the home folder where `cache` cannot be written. */
async function privateFolder(cache: string, name: string): Promise<string> {
  let failure: unknown;
  for (const base of [cache, join(homedir(), '.cache')]) {
    const folder = join(base, 'compconv', name);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await chmod(folder, 0o700);
      await access(folder, constants.W_OK);
      return folder;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/**
 * Safe to run in several processes at once: each file is written under a name of its own and then renamed, and the
 * mark that the part is complete comes last.
 */
async function unpackPart(archive: string, folder: string): Promise<void> {
  const name = archive.slice(archive.lastIndexOf('/') + 1);
  const done = join(folder, `.${name}.done`);
  if (await exists(done)) return;
  const bytes = await promisify(brotliDecompress)(await readFile(archive));
  const files = name.endsWith('.tar.br')
    ? filesOf(bytes)
    : [{ path: name.slice(0, name.indexOf('.')), executable: true, bytes }];
  for (const file of files) await writeAtomically(join(folder, file.path), file.bytes, file.executable ? 0o700 : 0o600);
  await writeAtomically(done, new Uint8Array(), 0o600);
}

async function writeAtomically(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}.draft`;
  await writeFile(draft, bytes, { mode });
  await rename(draft, path);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(() => true, () => false);
}

interface UnpackedFile {
  path: string;
  executable: boolean;
  bytes: Uint8Array;
}

/** The files of a tar archive; nothing in it may lead out of the folder it is unpacked to. */
function filesOf(archive: Uint8Array): UnpackedFile[] {
  return parseTar(archive)
    .filter(({ type }) => type !== 'directory')
    .map(({ name, type, data, attrs }) => {
      const path = normalize(name);
      if (type !== 'file') throw new Error(`tar entry ${path}: a ${type} is not a file or folder`);
      if (isAbsolute(path) || path.split('/').includes('..')) throw new Error(`tar entry ${path}: leaves the folder`);
      return { path, executable: (parseInt(attrs?.mode ?? '0', 8) & 0o100) !== 0, bytes: data ?? new Uint8Array() };
    });
}

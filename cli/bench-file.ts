/** Where `bench --out` puts its report: in the file it names, or in a folder under a name of the report's own. */

import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { reportName } from '../bench/report/name.ts';
import type { BenchReport } from '../bench/report.ts';
import { CompConvError } from '../src/errors.ts';
import { readBytes } from '../src/node/files.ts';
import { requireWritable, writeBytes } from './files.ts';

/** Makes a folder that ends in a slash; fails now, not after minutes of measuring, if `path` cannot be written. @throws io */
export async function prepareOut(path: string): Promise<void> {
  if (/[\\/]$/.test(path)) {
    await mkdir(path, { recursive: true }).catch((cause: Error) => {
      throw new CompConvError('io', `${path}: cannot be made: ${cause.message}`, { cause });
    });
  }
  // In a folder, any name that is free.
  await requireWritable((await isFolder(path)) ? join(path, `.${process.pid}.tmp`) : path);
}

/**
 * Writes the report as JSON, one field a line; gives its path. In a folder it is `<adapter>-<YYYY-MM-DD>.json`, and a number
 * is added while that is the report of other options or versions; one of the same is measured anew and replaced. @throws io
 */
export async function writeReport(path: string, report: BenchReport): Promise<string> {
  const file = (await isFolder(path)) ? await freeName(path, report) : path;
  await writeBytes(file, new TextEncoder().encode(`${JSON.stringify(report, undefined, 2)}\n`));
  return file;
}

async function freeName(folder: string, report: BenchReport): Promise<string> {
  const stem = join(folder, reportName(report));
  for (let number = 1; ; number++) {
    const file = `${stem}${number === 1 ? '' : `-${number}`}.json`;
    const before = await stat(file).catch(() => undefined);
    if (!before || (before.isFile() && (await isSameKind(file, report)))) return file;
  }
}

/** Whether a file is a report of the same measurement. */
async function isSameKind(file: string, report: BenchReport): Promise<boolean> {
  const kind = ({ format, adapter, versions, options }: Partial<BenchReport>) =>
    JSON.stringify([format, adapter, versions, options]);
  try {
    const text = new TextDecoder().decode(await readBytes(file));
    return kind(JSON.parse(text) as Partial<BenchReport>) === kind(report);
  } catch {
    return false;
  }
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() ?? false;
}

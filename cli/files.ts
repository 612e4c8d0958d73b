/** Files of the command line: read and written as a whole, with errors that name the file. */

import { open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { CompConvError, show } from '../src/errors.ts';
import { failureReason, readBytes } from '../src/node/files.ts';
import { parseSafetensors } from '../src/weights/safetensors.ts';
import { writeSafetensors } from '../src/weights/write-safetensors.ts';
import { formatShape, type Tensor } from '../src/tensor/tensor.ts';
import { gunzip, parseIdx, type IdxArray } from '../src/vision/idx.ts';
import { naming } from './failure.ts';

/** Writes a file whole: whoever reads it meanwhile, or after a crash, finds the old content or the new one. @throws io */
export async function writeBytes(path: string, bytes: Uint8Array): Promise<void> {
  try {
    // A link stays one.
    const target = await realpath(path).catch(() => path);
    const before = await stat(target).catch(() => undefined);
    if (before === undefined || before.isFile()) await replace(target, bytes);
    else await writeFile(target, bytes);
  } catch (cause) {
    throw new CompConvError('io', `${path}: cannot be written: ${failureReason(cause)}`, { cause });
  }
}

async function replace(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, bytes);
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {});
    // In a folder where nothing new may be made, what is there may still be written to.
    if (!['EACCES', 'EPERM'].includes((cause as NodeJS.ErrnoException).code ?? '')) throw cause;
    await writeFile(path, bytes);
  }
}

/** For files that are written after minutes of work: fails now if they cannot be. What is there stays as it is. @throws io */
export async function requireWritable(path: string): Promise<void> {
  try {
    const isNew = (await stat(path).catch(() => undefined)) === undefined;
    await (await open(path, 'a')).close();
    if (isNew) await rm(path);
  } catch (cause) {
    throw new CompConvError('io', `${path}: cannot be written: ${failureReason(cause)}`, { cause });
  }
}

/** Refuses to write over the file that the result is made of. @throws invalid-argument */
export async function requireOther(output: string, input: string | undefined): Promise<void> {
  if (input === undefined) return;
  const [from, to] = await Promise.all([input, output].map((path) => realpath(path).catch(() => undefined)));
  if (from !== undefined && from === to) throw new CompConvError('invalid-argument', `${output}: is read from, and would be overwritten; name another file`);
}

/** The tensor `input`, `[N, C, H, W]`, of a file that holds nothing else. @throws io, invalid-file, invalid-weights */
export async function readInput(path: string): Promise<Tensor> {
  const bytes = await readBytes(path);
  return naming(path, () => {
    const file = parseSafetensors(bytes);
    const names = [...file.shapes.keys()];
    if (names.length !== 1 || names[0] !== 'input') {
      const got =
        names.length === 0
          ? 'none'
          : names
              .slice(0, 5)
              .map(show)
              .join(', ');
      throw new CompConvError(
        'invalid-file',
        `must hold one tensor called "input", got ${names.length > 5 ? `${got}, …` : got}`,
      );
    }
    const input = file.get('input');
    if (input.shape.length !== 4 || input.shape.includes(0)) {
      throw new CompConvError(
        'invalid-file',
        `"input" must be [N, C, H, W], all at least 1, got ${formatShape(input.shape)}`,
      );
    }
    return input;
  });
}

/** Writes the tensor `logits`. @throws io */
export async function writeLogits(path: string, logits: Tensor): Promise<void> {
  await writeBytes(path, writeSafetensors([['logits', logits]]));
}

/** An IDX file, gzipped or not. @throws io, invalid-file */
export async function readIdx(path: string): Promise<IdxArray> {
  const bytes = await readBytes(path);
  return naming(path, async () => parseIdx(await gunzip(bytes)));
}

/** A JSON file that holds an object; what is in it is for others to check. @param what it should be, for messages. @throws io, invalid-file */
export async function readJson(path: string, what: string): Promise<Record<string, unknown>> {
  const bytes = await readBytes(path);
  return naming(path, () => {
    let value: unknown;
    try {
      value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    } catch (cause) {
      throw new CompConvError('invalid-file', `is not valid JSON: ${(cause as Error).message}`, { cause });
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new CompConvError('invalid-file', `must be a JSON ${what}`);
    return value as Record<string, unknown>;
  });
}

/** A JSON file of depths by layer name. What they are is the engine's to check. @throws io, invalid-file */
export async function readDepths(path: string): Promise<Record<string, number>> {
  const depths = await readJson(path, 'object of depths by layer name, e.g. {"layer1.0.conv1": 2}');
  return naming(path, () => {
    for (const [layer, depth] of Object.entries(depths)) {
      if (typeof depth !== 'number') {
        throw new CompConvError('invalid-file', `${show(layer)}: the depth must be a number, got ${show(depth)}`);
      }
    }
    return depths as Record<string, number>;
  });
}

/** @throws io */
export async function writeText(path: string, text: string): Promise<void> {
  await writeBytes(path, new TextEncoder().encode(text));
}

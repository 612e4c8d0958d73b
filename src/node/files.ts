/** Files in Node: as bytes, or as a Blob that is read piece by piece, with errors that name the file. */
import { openAsBlob } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { CompConvError } from '../errors.ts';

/**
 * A file as a Blob, whose bytes are read when they are asked for, so that one larger than memory can be loaded. A file that
 * changes meanwhile makes reading fail.
 * @throws io
 */
export async function fileBlob(path: string): Promise<Blob> {
  try {
    // Opening alone does not say what is wrong, and takes a folder.
    if (!(await stat(path)).isFile()) throw new Error('it is not a file');
    return await openAsBlob(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** A file as a whole. @throws io */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function unreadable(path: string, cause: unknown): CompConvError {
  return new CompConvError('io', `${path}: cannot be read: ${failureReason(cause)}`, { cause });
}

/** Why a file cannot be read or written, for people. */
export function failureReason(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  const known: Record<string, string> = {
    ENOENT: 'there is no such file or folder',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of the path is no folder',
    EACCES: 'permission denied',
  };
  return known[code ?? ''] ?? message;
}

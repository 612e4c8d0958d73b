/** Tuning records in a JSON file of the user's cache folder. */

import { mkdir, readFile, rename } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CompConvError } from '../src/errors.ts';
import type { Session } from '../src/runtime/session.ts';
import { parseTuningRecord, type TuningCache, type TuningRecord } from '../src/runtime/tuning-cache.ts';
import { failureReason } from '../src/node/files.ts';
import { writeText } from './files.ts';

const VERSION = 1;
/** Each new driver or version of the kernels begins another record; the oldest go. */
const MAX_RECORDS = 32;

/** Where records are kept unless told otherwise. */
export function defaultTuningPath(
  { platform, env }: Pick<NodeJS.Process, 'platform' | 'env'> = process,
  home = homedir(),
): string {
  const folders: Partial<Record<NodeJS.Platform, string>> = {
    darwin: join(home, 'Library', 'Caches'),
    win32: env['LOCALAPPDATA'] || join(home, 'AppData', 'Local'),
  };
  return join(env['XDG_CACHE_HOME'] || folders[platform] || join(home, '.cache'), 'compconv-webgpu', 'tuning.json');
}

/**
 * A cache in a file. One that is no such file counts as empty; it is moved aside before another one is written.
 * @param onWarning told once of a file that is not what it should be
 */
export function fileTuningCache(path: string, onWarning: (message: string) => void): TuningCache {
  let warned = false;
  /** Undefined of what is no such file. */
  const read = async (): Promise<Map<string, TuningRecord> | undefined> => {
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
      throw new CompConvError('io', `${path}: cannot be read: ${failureReason(cause)}`, { cause });
    }
    const records = parse(text);
    if (!records && !warned) {
      warned = true;
      onWarning(`${path}: is no file of tuning results; it is ignored, and becomes ${path}.bak when something is tuned`);
    }
    return records;
  };
  return {
    get: async (key) => (await read())?.get(key),
    async set(key, record) {
      const before = await read();
      const records = before ?? new Map<string, TuningRecord>();
      // Put at the end: the newest.
      records.delete(key);
      records.set(key, record);
      const newest = [...records].slice(-MAX_RECORDS);
      const text = `${JSON.stringify({ version: VERSION, records: Object.fromEntries(newest) }, null, 1)}\n`;
      try {
        await mkdir(dirname(path), { recursive: true });
        if (!before) await rename(path, `${path}.bak`);
      } catch (cause) {
        throw new CompConvError('io', `${path}: cannot be written: ${failureReason(cause)}`, { cause });
      }
      await writeText(path, text);
    },
  };
}

function parse(text: string): Map<string, TuningRecord> | undefined {
  try {
    const { version, records } = JSON.parse(text) as { version: unknown; records: object };
    if (version !== VERSION) return undefined;
    const entries = Object.entries(records).map(([key, value]) => [key, parseTuningRecord(value)] as const);
    return entries.every((entry): entry is [string, TuningRecord] => entry[1] !== undefined) ? new Map(entries) : undefined;
  } catch {
    return undefined;
  }
}

/** Fails where nothing is tuned that could be: times of such a session are not those of a tuned one. @throws invalid-argument */
export function requireTuned(session: Session): void {
  const { known, total } = session.tuned;
  if (known > 0 || total === 0) return;
  throw new CompConvError(
    'invalid-argument',
    `--tuned: nothing is known of ${session.graph.name} at this size and batch on ${session.adapter.name}; run "compconv tune" first, ` +
      'with the same network, --size and --batch',
  );
}

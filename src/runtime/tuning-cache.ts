/** What tuning found out, kept for the next time: as plain data, by adapter, driver, features and kernels. */
import type { Choice } from '../kernels/kernel.ts';
import { kernelVersion } from '../kernels/version.ts';
import type { AdapterDescription } from './device.ts';

/** What was found out of one kind of work. */
export interface TunedSignature {
  /** Name of the kernel to take. */
  readonly chosen: string;
  /** Milliseconds of each kernel that computed the right thing, the predicted one first. */
  readonly timesMs: Readonly<Record<string, number>>;
  /** Why each other kernel is none to choose. */
  readonly excluded: Readonly<Record<string, string>>;
}

/** What was found out of one adapter. */
export interface TuningRecord {
  /** For people. */
  readonly adapter: string;
  /** By signature of the work: shapes and the like. */
  readonly signatures: Readonly<Record<string, TunedSignature>>;
}

/** Where records are kept. Keys are opaque; records are plain data. */
export interface TuningCache {
  /** What was set last; undefined if there is nothing. */
  get(key: string): Promise<TuningRecord | undefined>;
  /** Keeps a record, in place of what there was. */
  set(key: string, record: TuningRecord): Promise<void>;
}

/** Times are of this adapter, its driver, the features in use and the kernels' code. */
export function tuningKey(adapter: AdapterDescription, kernels = kernelVersion()): string {
  const { vendor, architecture, device, description, driver, features } = adapter;
  return [vendor, architecture, device, description, driver, features.join(' '), `kernels ${kernels}`].join(' | ');
}

/** A record as a cache gave it; undefined unless it is one through and through. */
export function parseTuningRecord(value: unknown): TuningRecord | undefined {
  if (!isObject(value) || typeof value['adapter'] !== 'string' || !isObject(value['signatures'])) return undefined;
  return Object.values(value['signatures']).every(isTunedSignature) ? (value as unknown as TuningRecord) : undefined;
}

function isTunedSignature(value: unknown): value is TunedSignature {
  if (!isObject(value) || !isObject(value['timesMs']) || !isObject(value['excluded'])) return false;
  const { chosen, timesMs, excluded } = value;
  const areTimes = Object.values(timesMs as object).every((time) => typeof time === 'number' && time >= 0);
  return areTimes && typeof chosen === 'string' && Object.values(excluded as object).every((reason) => typeof reason === 'string');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether that was found out of the same candidates. */
export function isAbout({ chosen, timesMs, excluded }: TunedSignature, { candidates }: Choice): boolean {
  const known = [...Object.keys(timesMs), ...Object.keys(excluded)];
  return candidates.includes(chosen) && known.length === candidates.length && candidates.every((name) => known.includes(name));
}

/** Whether what is known of a kind of work is about the candidates that it has. */
export function isKnown(choice: Choice, known: ReadonlyMap<string, TunedSignature>): boolean {
  const tuned = known.get(choice.signature);
  return tuned !== undefined && isAbout(tuned, choice);
}

/** A cache that fails is one that knows nothing. */
export async function lookUp(cache: TuningCache | undefined, key: string, problems: string[] = []): Promise<TuningRecord | undefined> {
  try {
    return await cache?.get(key);
  } catch (error) {
    problems.push((error as Error).message);
    return undefined;
  }
}

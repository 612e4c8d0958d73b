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

/** A record as a cache gave it, and nothing else that may lie in there; undefined unless it is one through and through. */
export function parseTuningRecord(value: unknown): TuningRecord | undefined {
  if (!isObject(value) || typeof value['adapter'] !== 'string' || !isObject(value['signatures'])) return undefined;
  const entries = Object.entries(value['signatures']).map(([signature, tuned]) => [signature, parseTunedSignature(tuned)] as const);
  if (!entries.every((entry): entry is [string, TunedSignature] => entry[1] !== undefined)) return undefined;
  return { adapter: value['adapter'], signatures: Object.fromEntries(entries) };
}

function parseTunedSignature(value: unknown): TunedSignature | undefined {
  if (!isObject(value) || !isObject(value['timesMs']) || !isObject(value['excluded'])) return undefined;
  const { chosen, timesMs, excluded } = value as unknown as TunedSignature;
  // Infinity would not come back from JSON.
  const areTimes = Object.values(timesMs).every((time: unknown) => typeof time === 'number' && time >= 0 && time < Infinity);
  const areReasons = Object.values(excluded).every((reason: unknown) => typeof reason === 'string');
  return areTimes && areReasons && typeof chosen === 'string' ? { chosen, timesMs: { ...timesMs }, excluded: { ...excluded } } : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether that was found out of the same candidates, and chose the predicted one or one that was measured. */
export function isAbout(tuned: TunedSignature, { candidates }: Choice): boolean {
  const known = [...Object.keys(tuned.timesMs), ...Object.keys(tuned.excluded)];
  const isSound = tuned.chosen === candidates[0] || isMeasured(tuned);
  return isSound && known.length === candidates.length && candidates.every((name) => known.includes(name));
}

/** What to take, by signature: only what was measured, since anything else may compute something else. */
export function choicesOf(known: ReadonlyMap<string, TunedSignature>): Map<string, string> {
  return new Map([...known].flatMap(([signature, tuned]) => (isMeasured(tuned) ? [[signature, tuned.chosen]] : [])));
}

function isMeasured({ chosen, timesMs }: TunedSignature): boolean {
  return Object.hasOwn(timesMs, chosen);
}

/** Whether what is known of a kind of work is about the candidates that it has. */
export function isKnown(choice: Choice, known: ReadonlyMap<string, TunedSignature>): boolean {
  const tuned = known.get(choice.signature);
  return tuned !== undefined && isAbout(tuned, choice);
}

/** What a cache has, if it is a record; one that fails knows nothing. */
export async function lookUp(cache: TuningCache | undefined, key: string, problems: string[] = []): Promise<TuningRecord | undefined> {
  try {
    return parseTuningRecord(await cache?.get(key));
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

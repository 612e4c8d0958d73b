/** Which runs of which values an op writes, and whether the slices beside it make runs that one dispatch can copy. */
import { invariant } from '../errors.ts';
import { LANES, PADDING } from '../tensor/channel-layout.ts';
import type { ChannelSliceAttrs } from '../ops/channel-slice.ts';
import type { FusedOp, Store } from './fused-op.ts';
import type { Surroundings } from './kernel.ts';

/** Its stores; by default one, of the whole result into the value of its name. */
export function storesOf(op: FusedOp, around: Surroundings): readonly Store[] {
  return op.stores ?? [{ value: op.name, at: 0, first: 0, vectors: vectorsOf(op.name, around) }];
}

export function vectorsOf(value: string, around: Surroundings): number {
  return around.layoutOf(value).pitch / LANES;
}

/** The value that is stored finished: the one with an epilogue or in several runs, else the one joined last. */
export function mainValue(stores: readonly Store[]): string {
  const values = stores.map(({ value }) => value);
  const isMain = ({ value, finish }: Store, i: number) => finish !== undefined || values.indexOf(value) !== i;
  return (stores.find(isMain) ?? stores[stores.length - 1]).value;
}

/** What of an op's stores its time depends on. */
export function describeStores({ stores = [], copies = [], residual }: FusedOp): string {
  const all = [...stores, ...copies.flatMap((copy) => copy.stores ?? [])];
  return `${stores.length} stores ${copies.length} copies ${residual !== undefined || all.some(({ finish }) => finish?.residual) ? 'residual' : ''}`;
}

/** Copies as one run of the value that is finished, of which some vec4s in a row go to one scratch as they are, the rest to another. */
export interface CopyRun {
  readonly copies: readonly FusedOp<ChannelSliceAttrs>[];
  readonly at: number;
  readonly vectors: number;
  readonly scratch?: string;
  readonly scratchAt?: number;
  readonly scratchFirst: number;
  readonly scratchVectors: number;
  readonly other?: string;
  readonly otherAt?: number;
}

/**
 * How copies can be carried out beside sums that go to `y` and, unfinished, to `raw`.
 * @returns undefined if there are none; throws `internal` if they are of a kind that `fitCopies` refuses.
 */
export function copyRuns(copies: readonly FusedOp<ChannelSliceAttrs>[], y: string, raw: string | undefined, around: Surroundings): CopyRun | undefined {
  if (copies.length === 0) return undefined;
  const run = fitCopies(copies, y, raw, around);
  invariant(run !== undefined, `${copies[0].name}: its copies do not fit one dispatch`);
  return run;
}

/** The run that some copies make, or undefined if they make none. */
export function fitCopies(
  copies: readonly FusedOp<ChannelSliceAttrs>[],
  y: string,
  raw: string | undefined,
  around: Surroundings,
): CopyRun | undefined {
  const pieces = copies.map((copy) => {
    const stores = storesOf(copy, around);
    return { copy, main: stores.find(({ value }) => value === y), raw: stores.find(({ value }) => value !== y), count: stores.length };
  });
  if (pieces.some(({ main, count }) => !main || count > 2)) return undefined;
  pieces.sort((a, b) => (a.main?.at ?? 0) - (b.main?.at ?? 0));
  const scratch = raw ?? pieces.find((piece) => piece.raw)?.raw?.value;
  const toScratch = pieces.filter((piece) => piece.raw && piece.raw.value === scratch);
  const toOther = pieces.filter((piece) => piece.raw && piece.raw.value !== scratch);
  // All are stored raw, or none is; and what is stored is contiguous everywhere.
  const hasRaw = pieces.some((piece) => piece.raw);
  if (hasRaw && pieces.some((piece) => !piece.raw)) return undefined;
  if (new Set(toOther.map((piece) => piece.raw!.value)).size > 1) return undefined;
  const follows = (stores: readonly Store[]) => stores.every((store, i) => i === 0 || store.at === stores[i - 1].at + stores[i - 1].vectors);
  const runs = [pieces.map((piece) => piece.main!), toScratch.map((piece) => piece.main!), ...[toScratch, toOther].map((some) => some.map((piece) => piece.raw!))];
  if (!runs.every(follows)) return undefined;
  const vectors = (some: typeof pieces) => some.reduce((sum, piece) => sum + piece.main!.vectors, 0);
  return {
    copies: pieces.map(({ copy }) => copy),
    at: pieces[0].main!.at,
    vectors: vectors(pieces),
    scratchFirst: toScratch.length > 0 ? toScratch[0].main!.at - pieces[0].main!.at : 0,
    scratchVectors: vectors(toScratch),
    ...(toScratch.length > 0 && { scratch, scratchAt: toScratch[0].raw!.at }),
    ...(toOther.length > 0 && { other: toOther[0].raw!.value, otherAt: toOther[0].raw!.at }),
  };
}

/** Lane of the input that each lane of a slice is. */
export function sourceLanes({ name, attrs, inputs }: FusedOp<ChannelSliceAttrs>, around: Surroundings): Float32Array {
  const { lanes } = around.layoutOf(inputs[0]);
  const own = around.layoutOf(name);
  const sources = new Float32Array(own.pitch).fill(PADDING);
  own.lanes.forEach((lane, c) => (sources[lane] = lanes[attrs.begin + c]));
  return sources;
}

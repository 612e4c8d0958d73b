/**
 * Where the result of a kernel goes: into one value or one part of a value (`store.wgsl`), or into parts of several, with
 * slices of the input beside them (`store-parts.wgsl`). Works out bindings, sizes and the constant that both read.
 */
import codeOfOne from '../../shaders/store.wgsl?raw';
import codeOfParts from '../../shaders/store-parts.wgsl?raw';
import { invariant } from '../errors.ts';
import { LANES, PADDING, channelsOfLanes, roundUp, sameLayout } from '../tensor/channel-layout.ts';
import type { ChannelSliceAttrs } from '../ops/channel-slice.ts';
import type { Weights } from '../weights/weights.ts';
import { affineParams, evaluateAffine, type Affine } from './affine.ts';
import { BYTES_PER_VECTOR, type Constant } from './constants.ts';
import type { Epilogue, FusedOp, Store } from './fused-op.ts';
import { WORKGROUP_SIZE, type BufferRef, type Kernel, type Surroundings } from './kernel.ts';

/** Pixels that one invocation copies. */
const COPY_PIXELS = 8;

/** A kernel in both forms: with one place to store to, and with parts. */
export interface StoringKernels {
  readonly one: Kernel;
  readonly parts: Kernel;
}

/** The kernels that end in a store file, from `code` without it. Bindings 0 and 1 are theirs: `x` and `weights`. */
export function storingKernels(
  name: string,
  code: string,
  sizes: readonly string[],
  extra: Pick<Kernel, 'textures' | 'directives'> = {},
): StoringKernels {
  const one: Kernel = {
    name,
    code: `${code}\n${codeOfOne}`,
    bindings: ['x', 'weights', 'params', 'residual', 'y'],
    ...extra,
    written: 1,
    sizes,
    stores: ['vectors', 'offset', 'residualVectors', 'lanesRow', 'relu'],
  };
  const parts: Kernel = {
    name: `${name}-parts`,
    code: `${code}\n${codeOfParts}`,
    bindings: [...one.bindings, 'scratch0', 'scratch1'],
    ...extra,
    written: 3,
    sizes,
    stores: [
      'vectors', 'offset', 'residualVectors', 'relu', 'innerRelu', 'rows', 'rowCount', 'scratchVectors', 'scratchOffset', 'tailFirst',
      'tailVectors', 'tailOffset', 'tailRow', 'copyBegin', 'copyVectors', 'copyRow', 'copyOffset', 'copyScratchFirst',
      'copyScratchVectors', 'copyScratchOffset', 'otherVectors', 'otherOffset',
    ],
  };
  return { one, parts };
}

/** Everything a dispatch needs to store its result. */
export interface StorePlan {
  readonly kind: keyof StoringKernels;
  readonly overrides: Readonly<Record<string, number>>;
  readonly sizes: Readonly<Record<string, number>>;
  /** From binding 2 on. */
  readonly buffers: readonly BufferRef[];
  readonly params: Constant;
  /** Scale to fold into the weights and shift to start the sums with, per channel of the result. */
  folded(weights: Weights): Affine;
  readonly foldedParams: readonly string[];
  /** Tells what is folded in apart. */
  readonly foldedKey: string;
  /** Invocations in all, given those of the sums, in workgroups of a size. Default `WORKGROUP_SIZE`. */
  invocations(sums: number, workgroupSize?: number): { readonly total: number; readonly sizes: Readonly<Record<string, number>> };
}

/** Plans the stores of an op whose result has `sumVectors` vec4s per pixel, those that fill its last tile included. */
export function planStores(op: FusedOp, sumVectors: number, around: Surroundings): StorePlan {
  const stores = storesOf(op, around);
  const [first] = stores;
  const isOne = stores.length === 1 && !op.copies && (first.finish === undefined || (!op.relu && op.residual === undefined));
  return isOne ? planOne(op, first, sumVectors, around) : planParts(op, stores, sumVectors, around);
}

/** Its stores; by default one, of the whole result into the value of its name. */
function storesOf(op: FusedOp, around: Surroundings): readonly Store[] {
  return op.stores ?? [{ value: op.name, at: 0, first: 0, vectors: vectorsOf(op.name, around) }];
}

export function vectorsOf(value: string, around: Surroundings): number {
  return around.layoutOf(value).pitch / LANES;
}

/** 0: no residual; 1: it lies as the value it is added to; 2: it does not, its lanes are looked up. */
function residualMode(residual: string | undefined, value: string, around: Surroundings): 0 | 1 | 2 {
  if (residual === undefined) return 0;
  return sameLayout(around.layoutOf(residual), around.layoutOf(value)) ? 1 : 2;
}

function planOne(op: FusedOp, store: Store, sumVectors: number, around: Surroundings): StorePlan {
  const { value, at, finish } = store;
  const residual = finish?.residual ?? op.residual;
  const mode = residualMode(residual, value, around);
  // By channel of the result: which channel of the value it becomes.
  const lanes = around.layoutOf(op.name).lanes;
  const valueChannels = op.stores && channelsOfLanes(around.layoutOf(value));
  const channelOf = (c: number) => (valueChannels ? valueChannels[at * LANES + lanes[c]] : c);
  const valueCount = valueChannels ? around.layoutOf(value).lanes.length : op.output.c;
  const folded = (weights: Weights): Affine => {
    const own = evaluateAffine(op.affine, op.output.c, weights);
    if (!finish) return own;
    const after = evaluateAffine(finish.affine, valueCount, weights);
    const scale = own.scale.map((factor, c) => factor * after.scale[channelOf(c)]);
    return { scale, shift: own.shift.map((term, c) => term * after.scale[channelOf(c)] + after.shift[channelOf(c)]) };
  };
  const foldedParams = affineParams([...op.affine, ...(finish?.affine ?? [])]);
  const layouts = [op.name, value, ...(residual === undefined ? [] : [residual])].map((name) => around.layoutOf(name).key).join(' / ');
  const params: Constant = {
    dtype: 'f32',
    key: `${op.name} params ${sumVectors} ${value}@${at} ${layouts}`,
    byteLength: (sumVectors + (mode === 2 ? sumVectors : 0)) * BYTES_PER_VECTOR,
    params: foldedParams,
    pack(weights, target) {
      const { shift } = folded(weights);
      lanes.forEach((lane, c) => (target[lane] = shift[c]));
      if (mode !== 2) return;
      const table = target.subarray(sumVectors * LANES).fill(PADDING);
      const residualLanes = around.layoutOf(residual!).lanes;
      lanes.forEach((lane, c) => (table[lane] = residualLanes[channelOf(c)]));
    },
  };
  return {
    kind: 'one',
    overrides: { RESIDUAL: mode },
    sizes: {
      vectors: vectorsOf(value, around),
      offset: at,
      residualVectors: residual === undefined ? 0 : vectorsOf(residual, around),
      lanesRow: sumVectors,
      relu: op.relu || finish?.relu ? 1 : 0,
    },
    buffers: [{ constant: params.key }, residual === undefined ? { unused: true } : { value: residual }, { value }],
    params,
    folded,
    foldedParams,
    foldedKey: finish ? `${value}@${at} ${layouts}` : layouts,
    invocations: (sums) => ({ total: sums, sizes: {} }),
  };
}

/** One row of the constant per vec4 that is stored finished: what becomes of it. */
interface Row {
  readonly value: string;
  readonly vector: number;
}

/** `slice` is the op whose result is not sums but copies of its input: a slice of its own. */
function planParts(op: FusedOp, stores: readonly Store[], sumVectors: number, around: Surroundings): StorePlan {
  const copies = op.copies ?? [];
  const all = [...stores, ...copies.flatMap((copy) => storesOf(copy, around))];
  const y = mainValue(stores.length > 0 ? stores : all);
  const finish: Epilogue = all.find((store) => store.value === y)!.finish ?? { affine: [], relu: false };
  const mode = residualMode(finish.residual, y, around);

  const [part, tail] = stores.filter(({ value }) => value === y);
  const raw = stores.find(({ value }) => value !== y);
  const run = copyRuns(copies, y, raw?.value, around);
  const copyVectors = run?.vectors ?? 0;
  const tailVectors = tail?.vectors ?? 0;
  const rows: Row[] = [
    ...(part ? vectorRange(sumVectors, (i) => ({ value: y, vector: part.at + i })) : []),
    ...vectorRange(tailVectors, (i) => ({ value: y, vector: tail.at + i })),
    ...vectorRange(copyVectors, (i) => ({ value: y, vector: run!.at + i })),
  ];
  const rowCount = rows.length;
  const blocks = 2 + (mode === 2 ? 1 : 0);
  const sources = run ? run.copies.flatMap((copy) => [...sourceLanes(copy, around)]) : [];
  const own = (weights: Weights) => evaluateAffine(op.affine, op.output.c, weights);
  const params: Constant = {
    dtype: 'f32',
    key: `${op.name} parts ${sumVectors} ${rows.length} ${all.map(({ value, at }) => `${value}@${at} ${around.layoutOf(value).key}`).join(' ')} ${
      finish.residual === undefined ? '' : around.layoutOf(finish.residual).key
    } ${op.inputs.map((input) => around.layoutOf(input).key).join(' ')}`,
    byteLength: (sumVectors + blocks * rowCount) * BYTES_PER_VECTOR + sources.length * 4,
    params: affineParams([...op.affine, ...finish.affine]),
    pack(weights, target) {
      const { shift } = own(weights);
      around.layoutOf(op.name).lanes.forEach((lane, c) => part && (target[lane] = shift[c]));
      const layout = around.layoutOf(y);
      const channels = channelsOfLanes(layout);
      const after = evaluateAffine(finish.affine, layout.lanes.length, weights);
      const block = (i: number) => target.subarray((sumVectors + i * rowCount) * LANES);
      const [scales, shifts, lanes] = [block(0), block(1), block(2)];
      const residualLanes = finish.residual === undefined ? undefined : around.layoutOf(finish.residual).lanes;
      rows.forEach(({ vector }, row) => {
        for (let lane = 0; lane < LANES; lane++) {
          const channel = channels[vector * LANES + lane] ?? PADDING;
          const at = row * LANES + lane;
          if (channel !== PADDING) [scales[at], shifts[at]] = [after.scale[channel], after.shift[channel]];
          if (mode === 2) lanes[at] = channel === PADDING ? PADDING : residualLanes![channel];
        }
      });
      target.set(sources, (sumVectors + blocks * rowCount) * LANES);
    },
  };
  const copyRow = rowCount - copyVectors;
  const sizes = {
    vectors: vectorsOf(y, around),
    offset: part?.at ?? 0,
    residualVectors: finish.residual === undefined ? 0 : vectorsOf(finish.residual, around),
    relu: finish.relu ? 1 : 0,
    innerRelu: op.relu ? 1 : 0,
    rows: sumVectors,
    rowCount,
    scratchVectors: vectorsOf(raw?.value ?? run?.scratch ?? y, around),
    scratchOffset: raw?.at ?? 0,
    tailFirst: tail?.first ?? 0,
    tailVectors,
    tailOffset: tail?.at ?? 0,
    tailRow: sumVectors,
    copyVectors,
    copyRow,
    copyOffset: run?.at ?? 0,
    copyScratchFirst: run?.scratchFirst ?? 0,
    copyScratchVectors: run?.scratchVectors ?? 0,
    copyScratchOffset: run?.scratchAt ?? 0,
    otherVectors: run?.other === undefined ? 0 : vectorsOf(run.other, around),
    otherOffset: run?.otherAt ?? 0,
  };
  const scratch0 = raw?.value ?? run?.scratch;
  const bind = (value: string | undefined): BufferRef => (value === undefined ? { unused: true } : { value });
  const { n, h, w } = op.output;
  return {
    kind: 'parts',
    overrides: {
      RESIDUAL: mode,
      RAW: raw ? 1 : 0,
      TAIL: tail ? 1 : 0,
      COPIES: !run ? 0 : run.copies.every(({ attrs }) => attrs.stride === 1) ? 1 : 2,
      RAW_COPIES: run && (run.scratch !== undefined || run.other !== undefined) ? 1 : 0,
    },
    sizes,
    buffers: [{ constant: params.key }, bind(finish.residual), { value: y }, bind(scratch0), bind(run?.other)],
    params,
    folded: own,
    foldedParams: affineParams(op.affine),
    foldedKey: around.layoutOf(op.name).key,
    invocations(sums, workgroupSize = WORKGROUP_SIZE) {
      const copyBegin = roundUp(sums, workgroupSize);
      const total = run ? copyBegin + Math.ceil((n * h * w) / COPY_PIXELS) * copyVectors : sums;
      return { total, sizes: { copyBegin } };
    },
  };
}

function vectorRange(count: number, row: (i: number) => Row): Row[] {
  return Array.from({ length: count }, (_, i) => row(i));
}

/** The value that is stored finished: the one with an epilogue or in several runs, else the one joined last. */
export function mainValue(stores: readonly Store[]): string {
  const values = stores.map(({ value }) => value);
  const isMain = ({ value, finish }: Store, i: number) => finish !== undefined || values.indexOf(value) !== i;
  return (stores.find(isMain) ?? stores[stores.length - 1]).value;
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
function copyRuns(copies: readonly FusedOp<ChannelSliceAttrs>[], y: string, raw: string | undefined, around: Surroundings): CopyRun | undefined {
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
function sourceLanes({ name, attrs, inputs }: FusedOp<ChannelSliceAttrs>, around: Surroundings): Float32Array {
  const { lanes } = around.layoutOf(inputs[0]);
  const own = around.layoutOf(name);
  const sources = new Float32Array(own.pitch).fill(PADDING);
  own.lanes.forEach((lane, c) => (sources[lane] = lanes[attrs.begin + c]));
  return sources;
}


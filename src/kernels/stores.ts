/**
 * Where the result of a kernel goes: into one value or one part of a value (`store.wgsl`), or into parts of several, with
 * slices of the input beside them (`store-parts.wgsl`). Works out bindings, sizes and the constant that both read.
 */
import { LANES, PADDING, channelsOfLanes, roundUp, sameLayout } from '../tensor/channel-layout.ts';
import type { Weights } from '../weights/weights.ts';
import { affineKey, affineParams, evaluateAffine, type Affine } from './affine.ts';
import { BYTES_PER_VECTOR, type Constant } from './constants.ts';
import type { Epilogue, FusedOp, Store } from './fused-op.ts';
import { WORKGROUP_SIZE, type BufferRef, type Surroundings } from './kernel.ts';
import { copyRuns, mainValue, sourceLanes, storesOf, vectorsOf } from './store-runs.ts';
import type { StoringKernels } from './storing-kernels.ts';

/** Pixels that one invocation copies. */
const COPY_PIXELS = 8;

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
  const terms = `${affineKey(op.affine)}${finish ? affineKey(finish.affine) : ''}`;
  const params: Constant = {
    dtype: 'f32',
    key: `${op.name} params ${sumVectors} ${value}@${at} ${layouts} ${terms}`,
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
    foldedKey: `${finish ? `${value}@${at} ` : ''}${layouts} ${terms}`,
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
    key: [
      `${op.name} parts ${sumVectors} of ${y}`,
      ...all.map(({ value, at, vectors }) => `${value}@${at}+${vectors} ${around.layoutOf(value).key}`),
      ...copies.map(({ attrs: { begin, channels } }) => `${begin}+${channels}`),
      ...[op.name, ...op.inputs, ...(finish.residual === undefined ? [] : [finish.residual])].map((value) => around.layoutOf(value).key),
      `${affineKey(op.affine)}${affineKey(finish.affine)}`,
    ].join(' '),
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
    foldedKey: `${around.layoutOf(op.name).key} ${affineKey(op.affine)}`,
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

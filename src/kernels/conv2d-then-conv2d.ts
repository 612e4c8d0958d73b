/** A 1x1 module in one dispatch: copies of slices, its primitive, and the grow that reads both from workgroup memory. */
import code from '../../shaders/conv2d-then-conv2d.wgsl?raw';
import { invariant } from '../errors.ts';
import { LANES } from '../tensor/channel-layout.ts';
import { bytesPerElement } from '../tensor/dtype.ts';
import type { ConvThenConvAttrs, FusedOp } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type Lowered, type Surroundings } from './kernel.ts';
import { concatenated, plainWeights } from './plain-weights.ts';
import { fitCopies, vectorsOf } from './store-runs.ts';
import { planStores } from './stores.ts';
import { storingKernels } from './storing-kernels.ts';

const INVOCATIONS = 256;
/** vec4s that a workgroup parks: 16 KiB. */
const PARKED = 1024;
/** Each costs a barrier. */
const MOST_SLICES = 16;
/** Pixels that a workgroup may take. */
const TILES = [64, 32, 16, 8, 4];
/** Workgroups that keep a large GPU busy. */
const BUSY = 96;

export const convThenConvKernel: Kernel = {
  ...storingKernels('conv2d-then-conv2d', code, [
    'inHeight', 'inWidth', 'inVectors', 'outHeight', 'outWidth', 'outVectors', 'pixels', 'stride', 'groups', 'tilePixels', 'slices',
    'firstVectors', 'firstAt', 'copiesAt', 'parkedVectors', 'secondVectors', 'secondWeights', 'sparseVectors', 'zeroVectors',
  ]).parts,
  name: 'conv2d-then-conv2d',
};

/** How many pixels a workgroup takes: as many as leave enough workgroups; undefined if not even the fewest can be parked. */
export function tilePixels(parkedVectors: number, pixels: number): number | undefined {
  const fitting = TILES.filter((tile) => tile * parkedVectors <= PARKED);
  // Fewer than 8 only where there is no other way: every workgroup reads all weights.
  const efficient = fitting.filter((tile) => tile >= 8);
  return efficient.find((tile) => Math.ceil(pixels / tile) >= BUSY) ?? efficient.pop() ?? fitting[0];
}

export function lowerConvThenConv(op: FusedOp<ConvThenConvAttrs>, around: Surroundings): Lowered {
  const { first, second, between } = op.attrs;
  const { n, h, w } = op.output;
  const [x] = first.inputShapes;
  const pixels = n * h * w;
  const inVectors = vectorsOf(first.inputs[0], around);
  const [firstVectors, secondVectors, parkedVectors] = [first.name, second.name, between].map((name) => vectorsOf(name, around));
  const tile = tilePixels(parkedVectors, pixels);
  const raw = first.stores?.find(({ value }) => value === between);
  const copies = fitCopies(first.copies ?? [], op.stores![0].value, between, around);
  invariant(tile !== undefined && raw !== undefined && copies?.scratchAt !== undefined, `${op.name}: cannot be one dispatch`);
  const stores = planStores(op, firstVectors + secondVectors, around);
  const [firstWeights, secondWeights] = [plainWeights(first, firstVectors, around), plainWeights(second, secondVectors, around)];
  const weights = concatenated([firstWeights, secondWeights]);
  const groups = Math.ceil(pixels / tile);
  return {
    constants: [weights, stores.params],
    dispatches: [
      {
        label: op.name,
        kernel: convThenConvKernel,
        overrides: stores.overrides,
        sizes: {
          inHeight: x.h,
          inWidth: x.w,
          inVectors,
          outHeight: h,
          outWidth: w,
          outVectors: firstVectors + secondVectors,
          pixels,
          stride: first.attrs.stride,
          groups,
          tilePixels: tile,
          slices: Math.min(Math.floor(INVOCATIONS / ((tile / 4) * firstVectors)), MOST_SLICES, inVectors),
          firstVectors,
          firstAt: raw.at,
          copiesAt: copies.scratchAt,
          parkedVectors,
          secondVectors,
          secondWeights: firstWeights.byteLength / bytesPerElement(around.dtype) / LANES,
          sparseVectors: second.zeroBlock?.outputs ?? 0,
          zeroVectors: second.zeroBlock?.inputs ?? 0,
          ...stores.sizes,
          ...stores.invocations(0).sizes,
        },
        buffers: [{ value: first.inputs[0] }, { constant: weights.key }, ...stores.buffers],
        workgroups: linearWorkgroups(groups * INVOCATIONS, around.limits, INVOCATIONS),
        macs: op.macs,
      },
    ],
  };
}

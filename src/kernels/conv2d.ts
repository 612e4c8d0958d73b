/**
 * Convolution with any kernel size, stride, padding and groups, by a register tile of pixels x output channels.
 *
 * Groups whose channels fill whole vec4s are convolved on their own; others become a block-diagonal dense convolution.
 */
import code from '../../shaders/conv2d.wgsl?raw';
import code8x8 from '../../shaders/conv2d-8x8.wgsl?raw';
import code8x4 from '../../shaders/conv2d-8x4.wgsl?raw';
import { LANES, roundUp } from '../tensor/channel-layout.ts';
import type { Conv2dAttrs } from '../ops/conv2d.ts';
import { BYTES_PER_VECTOR, packRows, type Constant } from './constants.ts';
import type { FusedOp } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type Lowered, type Surroundings } from './kernel.ts';
import { ownMatrix } from './matrix.ts';
import { planStores, storingKernels, vectorsOf, type StorePlan, type StoringKernels } from './stores.ts';

/** A convolution kernel and its tile per invocation. */
interface ConvTile {
  readonly kernels: StoringKernels;
  readonly pixels: number;
  /** Output vec4s. */
  readonly vectors: number;
  /** Time per tile relative to the others, measured on SwiftShader: loads cost as much as arithmetic there. */
  readonly cost: number;
}

const sizes = [
  'inHeight', 'inWidth', 'inVectors', 'outHeight', 'outWidth', 'outVectors', 'pixels', 'tiles', 'channelTiles',
  'kernelSize', 'stride', 'padding', 'runs', 'runVectors', 'groupVectors', 'groupOutVectors', 'weightVectors',
];

const tiles: readonly ConvTile[] = [
  { kernels: storingKernels('conv2d-8x8', `${code}\n${code8x8}`, sizes), pixels: 8, vectors: 2, cost: 16 },
  { kernels: storingKernels('conv2d-8x4', `${code}\n${code8x4}`, sizes), pixels: 8, vectors: 1, cost: 10 },
];

export const conv2dKernels: readonly Kernel[] = tiles.flatMap(({ kernels }) => [kernels.one, kernels.parts]);

/** Lowers a convolution to one dispatch. `x` `[N, H, W, C]` to `[N, OH, OW, outChannels]`. */
export function lowerConv2d(op: FusedOp<Conv2dAttrs>, around: Surroundings): Lowered {
  const { attrs, output } = op;
  const [x] = op.inputShapes;
  const groupIn = x.c / attrs.groups;
  const groupOut = output.c / attrs.groups;
  const hasOwnGroups = attrs.groups > 1 && groupIn % LANES === 0 && groupOut % LANES === 0;
  const inVectors = vectorsOf(op.inputs[0], around);
  const outVectors = vectorsOf(op.name, around);
  const groupVectors = hasOwnGroups ? groupIn / LANES : inVectors;
  const groupOutVectors = hasOwnGroups ? groupOut / LANES : outVectors;
  const tile = chooseTile(groupOutVectors, hasOwnGroups);
  const weightVectors = roundUp(outVectors, tile.vectors);
  const channelTiles = weightVectors / tile.vectors;
  const pixels = output.n * output.h * output.w;
  const sums = channelTiles * Math.ceil(pixels / tile.pixels);
  const stores = planStores(op, weightVectors, around);
  const { total, sizes: storeSizes } = stores.invocations(sums);
  const weights = weightConstant(op, { groupVectors, weightVectors, hasOwnGroups }, stores, around);
  return {
    constants: [weights, stores.params],
    dispatches: [
      {
        label: op.name,
        kernel: tile.kernels[stores.kind],
        overrides: { ...stores.overrides, PADDED: attrs.padding > 0 ? 1 : 0 },
        sizes: {
          inHeight: x.h,
          inWidth: x.w,
          inVectors,
          outHeight: output.h,
          outWidth: output.w,
          outVectors,
          pixels,
          tiles: sums,
          channelTiles,
          kernelSize: attrs.kernelSize,
          stride: attrs.stride,
          padding: attrs.padding,
          ...(hasOwnGroups
            ? { runs: attrs.kernelSize, runVectors: groupVectors }
            : { runs: 1, runVectors: attrs.kernelSize * groupVectors }),
          groupVectors,
          groupOutVectors,
          weightVectors,
          ...stores.sizes,
          ...storeSizes,
        },
        buffers: [{ value: op.inputs[0] }, { constant: weights.key }, ...stores.buffers],
        workgroups: linearWorkgroups(total, around.limits),
        macs: op.macs,
      },
    ],
  };
}

/** The tile that wastes least on channels past the end; one that straddles two groups is not allowed. */
function chooseTile(groupOutVectors: number, grouped: boolean): ConvTile {
  const allowed = tiles.filter((tile) => !grouped || groupOutVectors % tile.vectors === 0);
  const cost = (tile: ConvTile) => Math.ceil(groupOutVectors / tile.vectors) * tile.cost;
  return allowed.reduce((best, tile) => (cost(tile) < cost(best) ? tile : best));
}

/** Weights `[k, k, 4 groupVectors, 4 weightVectors]`, from PyTorch's OIHW, scaled by the BatchNorm that follows. */
function weightConstant(
  op: FusedOp<Conv2dAttrs>,
  layout: { groupVectors: number; weightVectors: number; hasOwnGroups: boolean },
  stores: StorePlan,
  around: Surroundings,
): Constant {
  const { kernelSize: k, groups } = op.attrs;
  const { groupVectors, weightVectors, hasOwnGroups } = layout;
  const matrix = op.matrix ?? ownMatrix(op.source);
  const inChannels = op.inputShapes[0].c / groups;
  const outChannels = op.output.c;
  const columns = weightVectors * LANES;
  const inLayout = around.layoutOf(op.inputs[0]);
  const outLanes = around.layoutOf(op.name).lanes;
  return {
    key: `${op.name} weights ${matrix.key} ${k}x${k}x${groupVectors}x${weightVectors} ${inLayout.key} to ${stores.foldedKey}`,
    byteLength: k * k * groupVectors * LANES * weightVectors * BYTES_PER_VECTOR,
    params: [...matrix.params, ...stores.foldedParams],
    pack(weights, target) {
      const data = matrix.evaluate(weights);
      const { scale } = stores.folded(weights);
      const taps = k * k;
      // A group's channels lie as those of the first one do: groups are convolved in the graph's own order.
      const row = (tap: number, channel: number) => tap * groupVectors * LANES + inLayout.lanes[channel];
      const rows = Uint32Array.from({ length: inChannels * taps }, (_, i) => row(i % taps, Math.floor(i / taps)));
      const shift = (o: number) => (hasOwnGroups ? 0 : Math.floor(o / (outChannels / groups)) * inChannels);
      packRows(data, target, { rows, columns, first: 0, outputs: outChannels, scale, shift, column: (o) => outLanes[o] });
    },
  };
}

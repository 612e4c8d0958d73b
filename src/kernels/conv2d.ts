/**
 * Convolution with any kernel size, stride, padding and groups, by a register tile of pixels x output channels.
 *
 * Groups whose channels fill whole vec4s are convolved on their own; others become a block-diagonal dense convolution.
 */
import codeConv2d from '../../shaders/conv2d.wgsl?raw';
import code8x8 from '../../shaders/conv2d-8x8.wgsl?raw';
import code8x4 from '../../shaders/conv2d-8x4.wgsl?raw';
import codeQuad8x32 from '../../shaders/conv2d-quad-8x32.wgsl?raw';
import codeQuad16x12 from '../../shaders/conv2d-quad-16x12.wgsl?raw';
import { LANES, roundUp } from '../tensor/channel-layout.ts';
import type { Conv2dAttrs } from '../ops/conv2d.ts';
import { BYTES_PER_VECTOR, packRows, type Constant } from './constants.ts';
import type { FusedOp } from './fused-op.ts';
import { WORKGROUP_SIZE, linearWorkgroups, type Kernel, type KernelLimits, type Lowered, type Surroundings } from './kernel.ts';
import { ownMatrix } from './matrix.ts';
import { planStores, storingKernels, vectorsOf, type StorePlan, type StoringKernels } from './stores.ts';

/** A convolution kernel and its tile. */
interface ConvTile {
  readonly kernels: StoringKernels;
  readonly pixels: number;
  /** Output vec4s. */
  readonly vectors: number;
  readonly workgroupSize: number;
  /** Invocations that share a tile. */
  readonly invocations: 1 | 4;
  /** Time per pixel and output vec4 relative to the others of its kind, measured on SwiftShader. */
  readonly cost: number;
  /** The same of a tile with no more than half of its channels, relative to a whole one. Default 1. */
  readonly halfCost?: number;
}

const sizes = [
  'inHeight', 'inWidth', 'inVectors', 'outHeight', 'outWidth', 'outVectors', 'pixels', 'tiles', 'channelTiles',
  'kernelSize', 'stride', 'padding', 'runs', 'runVectors', 'groupVectors', 'groupOutVectors', 'weightVectors',
  'sparseVectors', 'zeroVectors',
];

/** A loop's bounds differ between quads of a subgroup, never within one. */
const SUBGROUPS = 'enable subgroups;\ndiagnostic(off, subgroup_uniformity);';

/** For any adapter. */
const tiles: readonly ConvTile[] = [
  tile('8x8', code8x8, { pixels: 8, vectors: 2, cost: 0.8 }),
  tile('8x4', code8x4, { pixels: 8, vectors: 1, cost: 1 }),
];
/** For those with `hasQuads`. */
const quadTiles: readonly ConvTile[] = [
  quadTile('8x32', codeQuad8x32, { pixels: 8, vectors: 8, cost: 1, halfCost: 0.565 }),
  quadTile('16x12', codeQuad16x12, { pixels: 16, vectors: 3, cost: 1.25 }),
];

function tile(name: string, code: string, shape: Pick<ConvTile, 'pixels' | 'vectors' | 'cost' | 'halfCost'>): ConvTile {
  const kernels = storingKernels(`conv2d-${name}`, `${codeConv2d}\n${code}`, sizes);
  return { kernels, workgroupSize: WORKGROUP_SIZE, invocations: 1, ...shape };
}

function quadTile(name: string, code: string, shape: Pick<ConvTile, 'pixels' | 'vectors' | 'cost' | 'halfCost'>): ConvTile {
  const kernels = storingKernels(`conv2d-quad-${name}`, `${SUBGROUPS}\n\n${codeConv2d}\n${code}`, sizes, ['weights']);
  return { kernels, workgroupSize: 16, invocations: 4, ...shape };
}

export const conv2dKernels: readonly Kernel[] = [...tiles, ...quadTiles].flatMap(({ kernels }) => [kernels.one, kernels.parts]);

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
  const pixels = output.n * output.h * output.w;
  const weightRows = attrs.kernelSize ** 2 * groupVectors;
  const tile = chooseTile({ pixels, groupOutVectors, outVectors, hasOwnGroups, weightRows }, around.limits);
  const weightVectors = roundUp(outVectors, tile.vectors);
  const channelTiles = weightVectors / tile.vectors;
  const tileCount = channelTiles * Math.ceil(pixels / tile.pixels);
  const stores = planStores(op, weightVectors, around);
  const { total, sizes: storeSizes } = stores.invocations(tileCount * tile.invocations);
  const weights = weightConstant(op, tile, { groupVectors, weightVectors, hasOwnGroups }, stores, around);
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
          tiles: tileCount,
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
          sparseVectors: op.zeroBlock?.outputs ?? 0,
          zeroVectors: op.zeroBlock?.inputs ?? 0,
          ...stores.sizes,
          ...storeSizes,
        },
        buffers: [{ value: op.inputs[0] }, { constant: weights.key }, ...stores.buffers],
        workgroups: linearWorkgroups(total, around.limits, tile.workgroupSize),
        macs: op.macs,
      },
    ],
  };
}

/** The tile with the least work, what lies past the end included; one that straddles two groups is not allowed. */
function chooseTile(
  conv: { pixels: number; groupOutVectors: number; outVectors: number; hasOwnGroups: boolean; weightRows: number },
  limits: KernelLimits,
): ConvTile {
  const { pixels, groupOutVectors, outVectors, hasOwnGroups, weightRows } = conv;
  const fits = ({ vectors }: ConvTile) => Math.max(weightRows, roundUp(outVectors, vectors) * LANES) <= limits.maxTextureDimension2D;
  const quads = limits.hasQuads && !hasOwnGroups ? quadTiles.filter(fits) : [];
  const allowed = quads.length > 0 ? quads : tiles.filter((tile) => !hasOwnGroups || groupOutVectors % tile.vectors === 0);
  const cost = (tile: ConvTile) => {
    const whole = Math.floor(groupOutVectors / tile.vectors);
    const rest = groupOutVectors % tile.vectors;
    const restCost = rest === 0 ? 0 : rest <= tile.vectors / 2 ? (tile.halfCost ?? 1) : 1;
    return roundUp(pixels, tile.pixels) * (whole + restCost) * tile.vectors * tile.cost;
  };
  return allowed.reduce((best, tile) => (cost(tile) < cost(best) ? tile : best));
}

/** The weights as the tile's kernel reads them, from PyTorch's OIHW, scaled by the BatchNorm that follows. */
function weightConstant(
  op: FusedOp<Conv2dAttrs>,
  tile: ConvTile,
  layout: { groupVectors: number; weightVectors: number; hasOwnGroups: boolean },
  stores: StorePlan,
  around: Surroundings,
): Constant {
  const { kernelSize: k, groups } = op.attrs;
  const { groupVectors, weightVectors, hasOwnGroups } = layout;
  const matrix = op.matrix ?? ownMatrix(op.source);
  const inChannels = op.inputShapes[0].c / groups;
  const outChannels = op.output.c;
  const inLayout = around.layoutOf(op.inputs[0]);
  const outLanes = around.layoutOf(op.name).lanes;
  const isTexture = tile.invocations === 4;
  // Where an input's row begins, and where an output lies in it, in elements.
  const pitch = weightVectors * LANES;
  const row = (input: number) =>
    isTexture ? Math.floor(input / LANES) * LANES * pitch + (input % LANES) * tile.vectors * LANES : input * pitch;
  const column = (lane: number) => {
    const vector = Math.floor(lane / LANES);
    const inTile = vector % tile.vectors;
    return isTexture ? ((vector - inTile) * LANES + inTile) * LANES + (lane % LANES) : lane;
  };
  return {
    key: `${op.name} weights ${matrix.key} for ${tile.kernels.one.name} ${k}x${k}x${groupVectors}x${weightVectors} ${inLayout.key} to ${stores.foldedKey}`,
    byteLength: k * k * groupVectors * LANES * weightVectors * BYTES_PER_VECTOR,
    ...(isTexture && { texture: { width: pitch, height: k * k * groupVectors } }),
    params: [...matrix.params, ...stores.foldedParams],
    pack(weights, target) {
      const data = matrix.evaluate(weights);
      const { scale } = stores.folded(weights);
      const taps = k * k;
      // A group's channels lie as those of the first one do: groups are convolved in the graph's own order.
      const input = (tap: number, channel: number) => tap * groupVectors * LANES + inLayout.lanes[channel];
      const rows = Uint32Array.from({ length: inChannels * taps }, (_, i) => row(input(i % taps, Math.floor(i / taps))));
      // Without groups of their own, outputs of a group begin further down.
      const shift = (o: number) => (hasOwnGroups ? 0 : Math.floor(o / (outChannels / groups)) * inChannels * pitch);
      packRows(data, target, { rows, first: 0, outputs: outChannels, scale, column: (o) => shift(o) + column(outLanes[o]) });
    },
  };
}

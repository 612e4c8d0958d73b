/**
 * Convolution with any kernel size, stride, padding and groups, by a register tile of pixels x output channels.
 *
 * Groups whose channels fill whole vec4s are convolved on their own; others become a block-diagonal dense convolution.
 */
import code8x8 from '../../shaders/conv2d-8x8.wgsl?raw';
import code8x4 from '../../shaders/conv2d-8x4.wgsl?raw';
import { LANES, channelPosition, channelVectors, roundUp } from '../tensor/channel-layout.ts';
import type { Conv2dAttrs } from '../ops/conv2d.ts';
import { evaluateAffine } from './affine.ts';
import { affineParams, biasConstant, BYTES_PER_VECTOR, packRows, type Constant } from './constants.ts';
import { residualOverride, residualRef } from './epilogue.ts';
import type { FusedOp } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type KernelLimits, type Lowered } from './kernel.ts';

/** A convolution kernel and its tile per invocation. */
interface ConvTile {
  readonly kernel: Kernel;
  readonly pixels: number;
  /** Output vec4s. */
  readonly vectors: number;
  /** Time per tile relative to the others, measured on SwiftShader: loads cost as much as arithmetic there. */
  readonly cost: number;
}

function convKernel(name: string, code: string): Kernel {
  return {
    name,
    code,
    bindings: ['x', 'weights', 'bias', 'residual', 'y'],
    sizes: [
      'inHeight', 'inWidth', 'inVectors', 'outHeight', 'outWidth', 'outVectors', 'pixels', 'tiles', 'channelTiles',
      'kernelSize', 'stride', 'padding', 'runs', 'runVectors', 'groupVectors', 'groupOutVectors', 'weightVectors', 'relu',
    ],
  };
}

const tiles: readonly ConvTile[] = [
  { kernel: convKernel('conv2d-8x8', code8x8), pixels: 8, vectors: 2, cost: 16 },
  { kernel: convKernel('conv2d-8x4', code8x4), pixels: 8, vectors: 1, cost: 10 },
];

export const conv2dKernels: readonly Kernel[] = tiles.map((tile) => tile.kernel);

/** Lowers a convolution to one dispatch. `x` `[N, H, W, C]` to `[N, OH, OW, outChannels]`. */
export function lowerConv2d(op: FusedOp<Conv2dAttrs>, limits: KernelLimits): Lowered {
  const { attrs, output } = op;
  const [x] = op.inputShapes;
  const groupIn = x.c / attrs.groups;
  const groupOut = output.c / attrs.groups;
  const alignedGroups = groupIn % LANES === 0 && groupOut % LANES === 0;
  const outVectors = channelVectors(output.c);
  const groupVectors = alignedGroups ? groupIn / LANES : channelVectors(x.c);
  const groupOutVectors = alignedGroups ? groupOut / LANES : outVectors;
  const tile = chooseTile(groupOutVectors, attrs.groups > 1 && alignedGroups);
  const weightVectors = roundUp(outVectors, tile.vectors);
  const channelTiles = weightVectors / tile.vectors;
  const pixels = output.n * output.h * output.w;
  const invocations = channelTiles * Math.ceil(pixels / tile.pixels);
  const weights = weightConstant(op, { groupVectors, weightVectors, alignedGroups });
  const bias = biasConstant(op, weightVectors);
  return {
    constants: [weights, bias],
    dispatches: [
      {
        label: op.name,
        kernel: tile.kernel,
        overrides: { ...residualOverride(op), PADDED: attrs.padding > 0 ? 1 : 0 },
        sizes: {
          inHeight: x.h,
          inWidth: x.w,
          inVectors: channelVectors(x.c),
          outHeight: output.h,
          outWidth: output.w,
          outVectors,
          pixels,
          tiles: invocations,
          channelTiles,
          kernelSize: attrs.kernelSize,
          stride: attrs.stride,
          padding: attrs.padding,
          ...(alignedGroups && attrs.groups > 1
            ? { runs: attrs.kernelSize, runVectors: groupVectors }
            : { runs: 1, runVectors: attrs.kernelSize * groupVectors }),
          groupVectors,
          groupOutVectors,
          weightVectors,
          relu: op.relu ? 1 : 0,
        },
        buffers: [{ value: op.inputs[0] }, { constant: weights.key }, { constant: bias.key }, residualRef(op), { value: op.name }],
        workgroups: linearWorkgroups(invocations, limits),
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
  layout: { groupVectors: number; weightVectors: number; alignedGroups: boolean },
): Constant {
  const { kernelSize: k, groups } = op.attrs;
  const { groupVectors, weightVectors, alignedGroups } = layout;
  const param = `${op.source}.weight`;
  const inChannels = op.inputShapes[0].c / groups;
  const outChannels = op.output.c;
  const columns = weightVectors * LANES;
  return {
    key: `${op.name} weights ${k}x${k}x${groupVectors}x${weightVectors} order ${op.inputOrder} to ${op.outputOrder}`,
    byteLength: k * k * groupVectors * LANES * weightVectors * BYTES_PER_VECTOR,
    params: [param, ...affineParams(op.affine)],
    pack(weights, target) {
      const { data } = weights.get(param);
      const { scale } = evaluateAffine(op.affine, outChannels, weights);
      const taps = k * k;
      const row = (tap: number, channel: number) => tap * groupVectors * LANES + channelPosition(channel, inChannels, op.inputOrder);
      const rows = Uint32Array.from({ length: inChannels * taps }, (_, i) => row(i % taps, Math.floor(i / taps)));
      const column = (o: number) => channelPosition(o, outChannels, op.outputOrder);
      const shift = (o: number) => (alignedGroups ? 0 : Math.floor(o / (outChannels / groups)) * inChannels);
      packRows(data, target, { rows, columns, first: 0, outputs: outChannels, scale, shift, column });
    },
  };
}

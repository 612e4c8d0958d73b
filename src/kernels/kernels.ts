/** The tables of kernels: all that plans are made of, and for every op that has a kernel of its own how it becomes dispatches. */
import type { OpAttrs } from '../ops/node.ts';
import type { ChainAttrs, FusedOp, JoinAttrs, PointwiseAttrs } from './fused-op.ts';
import type { Kernel, Lowered, Surroundings } from './kernel.ts';
import { lowerConv2d } from './conv2d.ts';
import { convThenConvKernel, lowerConvThenConv } from './conv2d-then-conv2d.ts';
import { convThenDepthwiseKernel, lowerConvThenDepthwise } from './conv2d-then-depthwise.ts';
import { conv2dKernels } from './conv2d-tiles.ts';
import { depthwiseConv2dKernels, lowerDepthwiseConv2d } from './depthwise-conv2d.ts';
import { pointwiseKernel, lowerPointwise } from './pointwise.ts';
import { channelSliceKernel, lowerChannelSlice } from './channel-slice.ts';
import { channelConcatKernel, lowerChannelConcat } from './channel-concat.ts';
import { channelShuffleKernel, lowerChannelShuffle } from './channel-shuffle.ts';
import { maxPoolKernel, lowerMaxPool } from './max-pool.ts';
import { avgPoolKernel, lowerAvgPool } from './avg-pool.ts';
import { linearKernel, lowerLinear } from './linear.ts';
import { softmaxKernel, lowerSoftmax } from './softmax.ts';

export const kernels: readonly Kernel[] = [
  ...conv2dKernels,
  ...depthwiseConv2dKernels,
  convThenDepthwiseKernel,
  convThenConvKernel,
  pointwiseKernel,
  channelSliceKernel,
  channelConcatKernel,
  channelShuffleKernel,
  maxPoolKernel,
  avgPoolKernel,
  linearKernel,
  softmaxKernel,
];

/** Ops that become epilogues or are expanded before lowering; everything else has a kernel. */
type Absorbed = 'input' | 'comp-conv' | 'batch-norm' | 'channel-bias' | 'relu' | 'add';
/** Attributes of the ops that reach lowering. */
export type KernelAttrs = Exclude<OpAttrs, { op: Absorbed | 'channel-concat' }> | JoinAttrs | PointwiseAttrs | ChainAttrs;
type KernelOpName = KernelAttrs['op'];

const lowerings = {
  conv2d: lowerConv2d,
  'depthwise-conv2d': lowerDepthwiseConv2d,
  'conv2d-then-depthwise': lowerConvThenDepthwise,
  'conv2d-then-conv2d': lowerConvThenConv,
  pointwise: lowerPointwise,
  'channel-slice': lowerChannelSlice,
  'channel-concat': lowerChannelConcat,
  'channel-shuffle': lowerChannelShuffle,
  'max-pool': lowerMaxPool,
  'avg-pool': lowerAvgPool,
  linear: lowerLinear,
  softmax: lowerSoftmax,
} satisfies { [K in KernelOpName]: (op: FusedOp<Extract<KernelAttrs, { op: K }>>, around: Surroundings) => Lowered };

/** Dispatches and constants of one op. @throws limit-exceeded */
export function lower(op: FusedOp<KernelAttrs>, around: Surroundings): Lowered {
  return (lowerings[op.attrs.op] as (op: FusedOp<KernelAttrs>, around: Surroundings) => Lowered)(op, around);
}

/** Ops whose kernel has an epilogue: affine, residual, ReLU. */
export const opsWithEpilogue: ReadonlySet<KernelOpName> = new Set([
  'conv2d',
  'depthwise-conv2d',
  'pointwise',
  'channel-concat',
  'channel-shuffle',
  'linear',
]);

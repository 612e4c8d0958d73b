/** What is lowered to a kernel: an op of the graph with the pointwise work around it, and where its result goes. */
import type { ImageShape } from '../tensor/image-shape.ts';
import type { ChannelSliceAttrs } from '../ops/channel-slice.ts';
import type { Conv2dAttrs } from '../ops/conv2d.ts';
import type { DepthwiseConv2dAttrs } from '../ops/depthwise-conv2d.ts';
import type { OpAttrs } from '../ops/node.ts';
import type { AffineTerm } from './affine.ts';
import type { Matrix } from './matrix.ts';

/** Pointwise work that runs in an epilogue: `relu?(x * scale + shift + residual)`. */
export interface Epilogue {
  /** BatchNorms and biases, in order. */
  readonly affine: readonly AffineTerm[];
  /** Value added after them. */
  readonly residual?: string;
  readonly relu: boolean;
}

/** An op together with its epilogue. */
export interface FusedOp<A = OpAttrs | JoinAttrs | PointwiseAttrs | ChainAttrs> extends Epilogue {
  /** What it computes: the name of a value, unless `stores` says where the result goes. */
  readonly name: string;
  readonly attrs: A;
  readonly inputs: readonly string[];
  readonly inputShapes: readonly ImageShape[];
  readonly output: ImageShape;
  /** The node whose parameters the op itself reads. */
  readonly source: string;
  readonly macs: number;
  /** Weights other than `source`'s own. */
  readonly matrix?: Matrix;
  /** Where these are 0: the first `outputs` vec4s of the result do not depend on the first `inputs` vec4s of the input. */
  readonly zeroBlock?: { readonly outputs: number; readonly inputs: number };
  /** Where the result goes, if not into a value of its own. */
  readonly stores?: readonly Store[];
  /** Slices of its first input that it copies along. */
  readonly copies?: readonly FusedOp<ChannelSliceAttrs>[];
}

/** A run of an op's result that becomes a run of a value which other ops write as well. */
export interface Store {
  readonly value: string;
  /** Where the run begins in the value's pixels, in vec4s. */
  readonly at: number;
  /** Which vec4s of the result are stored. */
  readonly first: number;
  readonly vectors: number;
  /** What becomes of them on the way; nothing where it is absent. Its channels are those of the value. */
  readonly finish?: Epilogue;
}

/** A concatenation of the first `widths[i]` channels of each input, then a channel shuffle with `groups` groups. */
export interface JoinAttrs {
  readonly op: 'channel-concat';
  /** Default all channels. */
  readonly widths?: readonly number[];
  /** Of a shuffle that is not carried out: the value lies as it was before. Default 1, no shuffle. */
  readonly groups?: number;
}

/** An op that is nothing but an epilogue. */
export interface PointwiseAttrs {
  readonly op: 'pointwise';
}

/**
 * Two ops in one dispatch: the second reads the first one's result as it is, which exists nowhere else. Both keep their
 * epilogues. What of either is stored finished is in the stores of the op that has these attributes, which are all parts of
 * one value; what is stored between the two is in those of `first` and its copies.
 */
export type ChainAttrs = ConvThenDepthwiseAttrs | ConvThenConvAttrs;

/** Any convolution, and a 3x3 depthwise one of its first channels. Stored: a run of the first result, then one of the second. */
export interface ConvThenDepthwiseAttrs {
  readonly op: 'conv2d-then-depthwise';
  readonly first: FusedOp<Conv2dAttrs>;
  readonly second: FusedOp<DepthwiseConv2dAttrs>;
}

/**
 * A 1x1 convolution with its copies, and another one of `between`, the value that they make together. Stored: a run of both
 * results one after the other, then perhaps a run of the second one again.
 */
export interface ConvThenConvAttrs {
  readonly op: 'conv2d-then-conv2d';
  readonly first: FusedOp<Conv2dAttrs>;
  readonly second: FusedOp<Conv2dAttrs>;
  readonly between: string;
}

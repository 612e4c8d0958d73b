/** What is lowered to a kernel: an op of the graph with the pointwise work around it. */
import type { ChannelOrder } from '../tensor/channel-layout.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import type { OpAttrs } from '../ops/node.ts';
import type { AffineTerm } from './affine.ts';

/** An op together with the pointwise work that runs in its epilogue: `relu?(op(x) * scale + shift + residual)`. */
export interface FusedOp<A = OpAttrs | JoinAttrs | PointwiseAttrs> {
  /** The value it computes. */
  readonly name: string;
  readonly attrs: A;
  readonly inputs: readonly string[];
  readonly inputShapes: readonly ImageShape[];
  readonly output: ImageShape;
  /** BatchNorms and biases, in order. */
  readonly affine: readonly AffineTerm[];
  /** Value added after them. */
  readonly residual?: string;
  readonly relu: boolean;
  /** In which order the channels of its first input lie; kernels with several inputs want all in order 1. */
  readonly inputOrder: ChannelOrder;
  /** In which order it writes its channels. A residual lies in the same. */
  readonly outputOrder: ChannelOrder;
  /** The node whose parameters the op itself reads. */
  readonly source: string;
  readonly macs: number;
}

/** A concatenation of the first `widths[i]` channels of each input. */
export interface JoinAttrs {
  readonly op: 'channel-concat';
  /** Default all channels. */
  readonly widths?: readonly number[];
}

/** An op that is nothing but an epilogue. */
export interface PointwiseAttrs {
  readonly op: 'pointwise';
}

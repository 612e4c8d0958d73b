/**
 * What a graph is made of: nodes, each one op with its attributes, its inputs by name, and one output that carries the
 * node's name. Plain data; `ops.ts` says what each op means.
 */
import type { InputAttrs } from './input.ts';
import type { Conv2dAttrs } from './conv2d.ts';
import type { DepthwiseConv2dAttrs } from './depthwise-conv2d.ts';
import type { CompConvAttrs } from './comp-conv.ts';
import type { BatchNormAttrs } from './batch-norm.ts';
import type { ChannelBiasAttrs } from './channel-bias.ts';
import type { ReluAttrs } from './relu.ts';
import type { AddAttrs } from './add.ts';
import type { ChannelSliceAttrs } from './channel-slice.ts';
import type { ChannelConcatAttrs } from './channel-concat.ts';
import type { ChannelShuffleAttrs } from './channel-shuffle.ts';
import type { MaxPoolAttrs } from './max-pool.ts';
import type { AvgPoolAttrs } from './avg-pool.ts';
import type { LinearAttrs } from './linear.ts';
import type { SoftmaxAttrs } from './softmax.ts';

/** What a node computes, told apart by `op`, with what that op needs to know. */
export type OpAttrs =
  | InputAttrs
  | Conv2dAttrs
  | DepthwiseConv2dAttrs
  | CompConvAttrs
  | BatchNormAttrs
  | ChannelBiasAttrs
  | ReluAttrs
  | AddAttrs
  | ChannelSliceAttrs
  | ChannelConcatAttrs
  | ChannelShuffleAttrs
  | MaxPoolAttrs
  | AvgPoolAttrs
  | LinearAttrs
  | SoftmaxAttrs;

/** Name of an op, such as `conv2d` or `comp-conv`. */
export type OpName = OpAttrs['op'];
/** The attributes of one op. */
export type AttrsOf<K extends OpName> = Extract<OpAttrs, { op: K }>;

/** One op of a graph; its output is a value of the same name. */
export interface Node<A extends OpAttrs = OpAttrs> {
  /** Unique in its graph; torchvision's module name where there is one. Prefix of the node's parameter names. */
  readonly name: string;
  readonly attrs: A;
  /** Names of the nodes whose outputs this one reads. */
  readonly inputs: readonly string[];
}

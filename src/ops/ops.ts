/**
 * The table of all ops. A missing entry is a compile error, here and in the tables of `kernels/` and `reference/` that
 * mirror it.
 */
import { CompConvError } from '../errors.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import type { OpDefinition, Param } from './definition.ts';
import type { Node, OpAttrs, OpName } from './node.ts';
import { input } from './input.ts';
import { conv2d } from './conv2d.ts';
import { depthwiseConv2d } from './depthwise-conv2d.ts';
import { compConv } from './comp-conv.ts';
import { batchNorm } from './batch-norm.ts';
import { channelBias } from './channel-bias.ts';
import { relu } from './relu.ts';
import { add } from './add.ts';
import { channelSlice } from './channel-slice.ts';
import { channelConcat } from './channel-concat.ts';
import { channelShuffle } from './channel-shuffle.ts';
import { maxPool } from './max-pool.ts';
import { avgPool } from './avg-pool.ts';
import { linear } from './linear.ts';
import { softmax } from './softmax.ts';

const definitions = {
  input,
  conv2d,
  'depthwise-conv2d': depthwiseConv2d,
  'comp-conv': compConv,
  'batch-norm': batchNorm,
  'channel-bias': channelBias,
  relu,
  add,
  'channel-slice': channelSlice,
  'channel-concat': channelConcat,
  'channel-shuffle': channelShuffle,
  'max-pool': maxPool,
  'avg-pool': avgPool,
  linear,
  softmax,
} satisfies { [K in OpName]: OpDefinition<Extract<OpAttrs, { op: K }>> };

/** How many inputs an op takes; a concatenation takes one or more. */
const arity: { [K in OpName]?: number } = { input: 0, add: 2 };

function definitionOf(attrs: OpAttrs): OpDefinition<OpAttrs> {
  return definitions[attrs.op] as OpDefinition<OpAttrs>;
}

/** Shape of a node's output. @throws invalid-graph */
export function inferShape({ name, attrs, inputs }: Node, inputShapes: readonly ImageShape[]): ImageShape {
  if (!Object.hasOwn(definitions, attrs.op)) {
    throw new CompConvError('invalid-graph', `${name}: unknown op ${JSON.stringify(attrs.op)}`);
  }
  const expected = arity[attrs.op] ?? 1;
  if (attrs.op === 'channel-concat' ? inputs.length < 1 : inputs.length !== expected) {
    throw new CompConvError('invalid-graph', `${name}: ${attrs.op} takes ${expected} input(s), got ${inputs.length}`);
  }
  return definitionOf(attrs).inferShape(attrs, inputShapes, name);
}

/** Full names and shapes of a node's parameters. */
export function paramsOf({ name, attrs }: Node, inputShapes: readonly ImageShape[]): [name: string, shape: readonly number[]][] {
  const params: Param[] = definitionOf(attrs).params?.(attrs, inputShapes) ?? [];
  return params.map(([suffix, shape]) => [name + suffix, shape]);
}

/** Multiply-accumulates of a node. */
export function macsOf({ attrs }: Node, inputShapes: readonly ImageShape[], output: ImageShape): number {
  return definitionOf(attrs).macs?.(attrs, inputShapes, output) ?? 0;
}

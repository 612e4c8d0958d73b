/**
 * What a graph costs: multiply-accumulates by the formulas of the spec (section 3), parameters and bytes, per layer and
 * total. Counted on the graph as written: a CompConv is one layer, whatever the scheduler makes of it.
 */
import type { ImageShape } from '../tensor/image-shape.ts';
import { elementCount } from '../tensor/tensor.ts';
import { isRunningStatistic } from '../ops/batch-norm.ts';
import { macsOf, paramsOf } from '../ops/ops.ts';
import type { OpName } from '../ops/node.ts';
import { inputShapes, shapeOf, type Graph } from './graph.ts';

/** Of one image, or as many as the graph's batch. */
export interface Cost {
  /** Multiply-accumulates; the CompConv paper calls these FLOPs. */
  readonly macs: number;
  /** Floating-point operations: `2 * macs`. */
  readonly flops: number;
  /** Trainable parameters; BatchNorm's weight and bias are counted, its running statistics are not. */
  readonly params: number;
  /** Those parameters in float32. */
  readonly weightBytes: number;
  /**
   * Every input read once and the output written once, in float32, without padding. BatchNorm, bias and ReLU move nothing,
   * and an addition only reads its second operand: they run in the epilogue of what comes before them.
   */
  readonly activationBytes: number;
}

/** Cost of one node of a graph. */
export interface LayerCost extends Cost {
  readonly name: string;
  readonly op: OpName;
  /** Recursion depth of a CompConv layer. */
  readonly depth?: number;
  /** Shape of what it gives. */
  readonly output: ImageShape;
}

/** What a graph costs as it is written down: a CompConv is one layer. */
export interface NetworkCost {
  readonly layers: readonly LayerCost[];
  readonly total: Cost;
}

const BYTES_PER_ELEMENT = 4;

/** Cost of every layer and of the network. */
export function networkCost(graph: Graph): NetworkCost {
  const layers = graph.nodes
    .filter((node) => node.attrs.op !== 'input')
    .map((node): LayerCost => {
      const inputs = inputShapes(graph, node);
      const output = shapeOf(graph, node.name);
      const params = paramsOf(node, inputs)
        .filter(([name]) => !isRunningStatistic(name))
        .reduce((sum, [, shape]) => sum + elementCount(shape), 0);
      return {
        name: node.name,
        op: node.attrs.op,
        ...(node.attrs.op === 'comp-conv' ? { depth: node.attrs.depth } : {}),
        output,
        ...cost(macsOf(node, inputs, output), params, movedElements(node.attrs.op, inputs, output) * BYTES_PER_ELEMENT),
      };
    });
  const sum = (key: keyof Cost) => layers.reduce((total, layer) => total + layer[key], 0);
  return { layers, total: cost(sum('macs'), sum('params'), sum('activationBytes')) };
}

function movedElements(op: OpName, inputs: readonly ImageShape[], output: ImageShape): number {
  const count = ({ n, h, w, c }: ImageShape) => n * h * w * c;
  if (op === 'batch-norm' || op === 'channel-bias' || op === 'relu') return 0;
  if (op === 'add') return count(output);
  return [...inputs, output].reduce((sum, shape) => sum + count(shape), 0);
}

function cost(macs: number, params: number, activationBytes: number): Cost {
  return { macs, flops: 2 * macs, params, weightBytes: params * BYTES_PER_ELEMENT, activationBytes };
}

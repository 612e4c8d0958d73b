/**
 * Evaluates a graph on the CPU, node by node in the graph's order: what every kernel and every scheduled plan is
 * compared with. It takes the graph as written (a CompConv is evaluated as one op) or expanded, and keeps every value.
 */
import { CompConvError, invariant } from '../errors.ts';
import { shapeOf, inputShapes, type Graph } from '../graph/graph.ts';
import { BATCH_NORM_EPSILON } from '../ops/batch-norm.ts';
import type { AttrsOf, Node, OpAttrs, OpName } from '../ops/node.ts';
import { paramsOf } from '../ops/ops.ts';
import { formatImageShape, sameImageShape } from '../tensor/image-shape.ts';
import { formatShape, sameShape, type Tensor } from '../tensor/tensor.ts';
import type { Weights } from '../weights/weights.ts';
import { fromTensor, type Activation } from './activation.ts';
import { add } from './add.ts';
import { avgPool } from './avg-pool.ts';
import { batchNorm, type BatchNormParams } from './batch-norm.ts';
import { channelBias } from './channel-bias.ts';
import { channelConcat } from './channel-concat.ts';
import { channelShuffle } from './channel-shuffle.ts';
import { channelSlice } from './channel-slice.ts';
import { compConv, type PartParams } from './comp-conv.ts';
import { conv2d } from './conv2d.ts';
import { depthwiseConv2d } from './depthwise-conv2d.ts';
import { linear } from './linear.ts';
import { maxPool } from './max-pool.ts';
import { relu } from './relu.ts';
import { softmax } from './softmax.ts';

export { fromTensor, toTensor, type Activation } from './activation.ts';

/** A node's parameters by suffix (`.weight`). */
type Params = (suffix: string) => Tensor;

type Evaluate<A extends OpAttrs> = (attrs: A, inputs: readonly Activation[], params: Params) => Activation;

const evaluators = {
  input: (_attrs, [x]) => x,
  conv2d: (attrs, [x], params) => conv2d(x, weightAndBias(params, attrs.bias), attrs),
  'depthwise-conv2d': (attrs, [x], params) => depthwiseConv2d(x, weightAndBias(params, attrs.bias), attrs),
  'comp-conv': evaluateCompConv,
  'batch-norm': ({ epsilon }, [x], params) => batchNorm(x, normParams(params, ''), epsilon),
  'channel-bias': (_attrs, [x], params) => channelBias(x, params('.bias')),
  relu: (_attrs, [x]) => relu(x),
  add: (_attrs, [a, b]) => add(a, b),
  'channel-slice': (attrs, [x]) => channelSlice(x, attrs),
  'channel-concat': (_attrs, inputs) => channelConcat(inputs),
  'channel-shuffle': ({ groups }, [x]) => channelShuffle(x, groups),
  'max-pool': (attrs, [x]) => maxPool(x, attrs),
  'avg-pool': ({ outputHeight, outputWidth }, [x]) => avgPool(x, outputHeight, outputWidth),
  linear: ({ bias }, [x], params) => linear(x, weightAndBias(params, bias)),
  softmax: (_attrs, [x]) => softmax(x),
} satisfies { [K in OpName]: Evaluate<AttrsOf<K>> };

function weightAndBias(params: Params, bias: boolean, prefix = ''): { weight: Tensor; bias?: Tensor } {
  return { weight: params(`${prefix}.weight`), ...(bias ? { bias: params(`${prefix}.bias`) } : {}) };
}

function normParams(params: Params, prefix: string): BatchNormParams {
  return {
    weight: params(`${prefix}.weight`),
    bias: params(`${prefix}.bias`),
    runningMean: params(`${prefix}.running_mean`),
    runningVar: params(`${prefix}.running_var`),
  };
}

function evaluateCompConv(attrs: AttrsOf<'comp-conv'>, [x]: readonly Activation[], params: Params): Activation {
  const part = (name: string, norm: string): PartParams => ({
    ...weightAndBias(params, attrs.innerBias, name),
    ...(attrs.inner === 'bn-relu' ? { norm: normParams(params, norm) } : {}),
  });
  const steps = Array.from({ length: attrs.depth - 1 }, (_, step) => step);
  return compConv(
    x,
    {
      primitive: part('.primitive', '.primitive_bn'),
      grow: steps.map((step) => part(`.grow.${step}`, `.grow_bn.${step}`)),
      tail: part('.tail', '.tail_bn'),
      ...(attrs.bias ? { bias: params('.bias') } : {}),
    },
    { ...attrs, epsilon: BATCH_NORM_EPSILON },
  );
}

export interface RunReferenceOptions {
  /** Last node to evaluate; default the graph's output. */
  readonly until?: string;
  /** Called with every value as it is ready. */
  readonly onValue?: (name: string, value: Activation) => void;
}

/**
 * Evaluates a graph in float64; gives the value of every node by name.
 * @param input `[N, C, H, W]` of the graph's input shape
 * @throws invalid-argument if `input` or `until` does not fit; invalid-weights if a parameter is missing or misshapen.
 */
export function runReference(graph: Graph, weights: Weights, input: Tensor, options?: RunReferenceOptions): Map<string, Activation> {
  const steps = referenceSteps(graph, weights, input, options);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** `runReference` in steps, one for each node: whoever takes them can stop in between, and let others have their turn. */
export function* referenceSteps(
  graph: Graph,
  weights: Weights,
  input: Tensor,
  { until = graph.output, onValue }: RunReferenceOptions = {},
): Generator<void, Map<string, Activation>> {
  const image = fromTensor(input);
  const expected = shapeOf(graph, graph.input);
  if (!sameImageShape(image.shape, expected)) {
    throw new CompConvError(
      'invalid-argument',
      `reference: ${graph.name} takes ${formatImageShape(expected)} (NHWC), got ${formatShape(input.shape)} (NCHW)`,
    );
  }
  if (!graph.shapes.has(until)) {
    throw new CompConvError('invalid-argument', `reference: ${graph.name} has no value "${until}"`);
  }
  const values = new Map<string, Activation>();
  for (const node of graph.nodes) {
    const inputs = node.attrs.op === 'input' ? [image] : node.inputs.map((name) => values.get(name) as Activation);
    const evaluate = evaluators[node.attrs.op] as Evaluate<OpAttrs>;
    const value = evaluate(node.attrs, inputs, nodeParams(graph, node, weights));
    const inferred = shapeOf(graph, node.name);
    invariant(
      sameImageShape(value.shape, inferred),
      `${node.name}: reference gives ${formatImageShape(value.shape)}, graph infers ${formatImageShape(inferred)}`,
    );
    values.set(node.name, value);
    onValue?.(node.name, value);
    if (node.name === until) break;
    yield;
  }
  return values;
}

/** A node's parameters, checked against what the graph says they are. */
function nodeParams(graph: Graph, node: Node, weights: Weights): Params {
  for (const [name, shape] of paramsOf(node, inputShapes(graph, node))) {
    const found = weights.shapes.get(name);
    if (!found || !sameShape(found, shape)) {
      throw new CompConvError(
        'invalid-weights',
        `reference: ${name} must be ${formatShape(shape)}, got ${found ? formatShape(found) : 'none'}`,
      );
    }
  }
  return (suffix) => weights.get(node.name + suffix);
}

/**
 * A network as other runtimes take it: CompConv expanded into plain ops, and every BatchNorm and bias moved into the weights
 * of the convolution or linear layer in front of it, if nothing else reads what that gives.
 *
 * Where it cannot move (behind a CompConv's shuffle a grow reads what the output also holds, and the identity slices have no
 * weights) all of a run of BatchNorms and biases become one `channel-affine`. Pure, and lazy: tensors are computed when they
 * are asked for, in float64, and rounded once. ReLU and residuals stay nodes; fusing those is the other runtime's business.
 */
import { CompConvError } from '../errors.ts';
import { graphParams, shapeOf, type Graph } from '../graph/graph.ts';
import { affineTerm, evaluateAffine, type AffineTerm } from '../kernels/affine.ts';
import type { AttrsOf, OpAttrs } from '../ops/node.ts';
import { expandModules } from '../scheduler/expand-modules.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import { elementCount, formatShape } from '../tensor/tensor.ts';
import { checkWeights } from '../weights/check.ts';
import type { Weights } from '../weights/weights.ts';

/** `x * weight + bias`, both `[C]`, over channels; without a weight only the bias is added. */
export interface ChannelAffineAttrs {
  readonly op: 'channel-affine';
}

/** Ops of a folded network. `attrs.bias` of a convolution or linear layer says whether the folded node has one. */
export type FoldedAttrs = Exclude<OpAttrs, AttrsOf<'comp-conv' | 'batch-norm' | 'channel-bias'>> | ChannelAffineAttrs;

/** A constant whose values are computed by each call of `values`; they may alias the network's weights: do not write to them. */
export interface FoldedTensor {
  /** `<node>.weight` or `<node>.bias`. */
  readonly name: string;
  readonly shape: readonly number[];
  /** @throws invalid-weights where a tensor has more or fewer values than its shape says. */
  values(): Float32Array;
}

export interface FoldedNode<A extends FoldedAttrs = FoldedAttrs> {
  /** Of the graph's node that does the work: a convolution keeps its name when a BatchNorm is folded into it. */
  readonly name: string;
  readonly attrs: A;
  /** Names of the folded nodes whose outputs it reads. */
  readonly inputs: readonly string[];
  /** Shape of what it gives, `[N, H, W, C]`. */
  readonly output: ImageShape;
  /** Of a convolution, a linear layer or an affine: as in PyTorch, `[O, I / groups, k, k]`, `[O, I]`, `[C]`. */
  readonly weight?: FoldedTensor;
  readonly bias?: FoldedTensor;
}

export interface FoldedNetwork {
  /** The graph's name. */
  readonly name: string;
  /** In an order in which every input comes before its use, the input node first. */
  readonly nodes: readonly FoldedNode[];
  /** Names of the input's node and of the one that gives the output. */
  readonly input: string;
  readonly output: string;
}

/** A node on its way: what it has taken in so far. */
interface Draft {
  readonly name: string;
  readonly attrs: FoldedAttrs;
  readonly inputs: readonly string[];
  /** What happens to its result, in order. */
  readonly terms: AffineTerm[];
}

/** Folds a network, plain or with CompConv. @throws invalid-weights if they do not fit the graph. */
export function foldedNetwork(graph: Graph, weights: Weights): FoldedNetwork {
  checkWeights(graphParams(graph), weights, graph.name);
  const expanded = expandModules(graph);
  const readers = countReaders(expanded);
  const drafts = new Map<string, Draft>();
  /** The folded node that gives a value of the graph. */
  const giver = new Map<string, string>();
  for (const node of expanded.nodes) {
    const { name, attrs } = node;
    const inputs = node.inputs.map((input) => giver.get(input)!);
    giver.set(name, name);
    if (attrs.op === 'batch-norm' || attrs.op === 'channel-bias') {
      const term = affineTerm({ ...node, attrs });
      const before = drafts.get(inputs[0])!;
      if (canTakeIn(before) && readers.get(node.inputs[0]) === 1) {
        before.terms.push(term);
        giver.set(name, before.name);
      } else {
        drafts.set(name, { name, attrs: { op: 'channel-affine' }, inputs, terms: [term] });
      }
    } else {
      const biased = 'bias' in attrs && attrs.bias;
      const terms: AffineTerm[] = biased ? [{ kind: 'bias', param: `${name}.bias` }] : [];
      // The expansion has left no CompConv.
      drafts.set(name, { name, attrs: attrs as FoldedAttrs, inputs, terms });
    }
  }
  const whole = wholeTensors(weights);
  const nodes = [...drafts.values()].map((draft) => finished(draft, shapeOf(expanded, draft.name), whole));
  return { name: graph.name, nodes, input: graph.input, output: giver.get(expanded.output)! };
}

function countReaders({ nodes }: Graph): Map<string, number> {
  const readers = new Map<string, number>();
  for (const { inputs } of nodes) for (const input of inputs) readers.set(input, (readers.get(input) ?? 0) + 1);
  return readers;
}

function canTakeIn({ attrs }: Draft): boolean {
  return hasWeight(attrs) || attrs.op === 'channel-affine';
}

/** Ops whose weight's first dimension is that of their output channels. */
function hasWeight(attrs: FoldedAttrs): boolean {
  return attrs.op === 'conv2d' || attrs.op === 'depthwise-conv2d' || attrs.op === 'linear';
}

function finished({ name, attrs, inputs, terms }: Draft, output: ImageShape, weights: Weights): FoldedNode {
  const channels = output.c;
  const isScaled = terms.some(({ kind }) => kind !== 'bias');
  const affine = () => evaluateAffine(terms, channels, weights);
  const param = `${name}.weight`;
  const bias: FoldedTensor = { name: `${name}.bias`, shape: [channels], values: () => Float32Array.from(affine().shift) };
  if (attrs.op === 'channel-affine') {
    const weight: FoldedTensor = { name: param, shape: [channels], values: () => Float32Array.from(affine().scale) };
    return { name, attrs, inputs, output, ...(isScaled && { weight }), bias };
  }
  if (!hasWeight(attrs)) return { name, attrs, inputs, output };
  const values = () => {
    const { data } = weights.get(param);
    return isScaled ? scaledRows(data, affine().scale) : data;
  };
  const weight: FoldedTensor = { name: param, shape: weights.shapes.get(param)!, values };
  const isBiased = terms.length > 0;
  return { name, attrs: { ...attrs, bias: isBiased } as FoldedAttrs, inputs, output, weight, ...(isBiased && { bias }) };
}

/** A copy with each output's weights multiplied by its scale. */
function scaledRows(data: Float32Array, scale: Float64Array): Float32Array {
  const rowLength = data.length / scale.length;
  const scaled = new Float32Array(data.length);
  for (let row = 0, at = 0; row < scale.length; row++) {
    for (const end = at + rowLength; at < end; at++) scaled[at] = data[at] * scale[row];
  }
  return scaled;
}

/** Weights that give as many values as their shapes say: a file's always do, a caller's own may not. */
function wholeTensors(weights: Weights): Weights {
  return {
    shapes: weights.shapes,
    get(name) {
      const tensor = weights.get(name);
      const shape = weights.shapes.get(name)!;
      if (tensor.data.length !== elementCount(shape)) {
        throw new CompConvError(
          'invalid-weights',
          `${name}: shape ${formatShape(shape)} needs ${elementCount(shape)} values, the weights give ${tensor.data.length}`,
        );
      }
      return tensor;
    },
  };
}

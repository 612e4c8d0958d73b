/**
 * From a folded network to ONNX's operators, in ONNX's order of dimensions: images are `[N, C, H, W]`, and what a linear
 * layer gives is a vector, `[N, C]`. One entry for each op; most become one node, which carries the name of the network's layer.
 *
 * Operators are chosen by how few dispatches a GPU runtime makes of them. Nothing is fused here: runtimes do that.
 */
import { CompConvError } from '../errors.ts';
import type { ChannelSliceAttrs } from '../ops/channel-slice.ts';
import type { SlidingWindow } from '../ops/window.ts';
import { sameImageShape, type ImageShape } from '../tensor/image-shape.ts';
import type { FoldedAttrs, FoldedNetwork, FoldedNode } from './fold-batch-norms.ts';
import type { OnnxModel } from './model.ts';
import { INPUT, NodeList, OUTPUT } from './node-list.ts';

type FoldedOp = FoldedAttrs['op'];

/** A value of the model. */
interface Value {
  readonly name: string;
  readonly shape: ImageShape;
  /** `[N, C]` instead of `[N, C, 1, 1]`. */
  readonly isVector: boolean;
}

/** Appends the nodes of one op, and gives the name of the value that they compute. */
type Translate<A extends FoldedAttrs> = (list: NodeList, node: FoldedNode<A>, inputs: readonly Value[]) => string;

const translators = {
  input: () => INPUT,

  conv2d(list, node, [x]) {
    return list.add(node.name, 'Conv', [x.name, ...parameters(list, node)], { ...slidingWindow(node.attrs), group: node.attrs.groups });
  },

  'depthwise-conv2d'(list, node, [x]) {
    const { channels } = node.attrs;
    const kept = channels === x.shape.c ? x.name : slice(list, `${node.name}.kept`, x, { begin: 0, channels, stride: 1 });
    return list.add(node.name, 'Conv', [kept, ...parameters(list, node)], { ...slidingWindow(node.attrs), group: channels });
  },

  /**
   * BatchNormalization with the folded constants, around a mean of 0 and a variance of 1: one dispatch in onnxruntime-web's
   * WebGPU, where Mul and Add are two (1.30: 168 for CompConv128-ResNet18, else 188). A bias alone is an Add.
   */
  'channel-affine'(list, node, [x]) {
    const { name, weight, bias } = node;
    const { c } = x.shape;
    if (!weight) return list.add(name, 'Add', [x.name, list.constant({ ...bias!, shape: [c, 1, 1] })]);
    const filled = (part: string, value: number) =>
      list.constant({ name: `${name}.${part}`, shape: [c], values: () => new Float32Array(c).fill(value) });
    const statistics = [filled('running_mean', 0), filled('running_var', 1)];
    return list.add(name, 'BatchNormalization', [x.name, ...parameters(list, node), ...statistics], { epsilon: { float: 0 } });
  },

  relu: (list, { name }, [x]) => list.add(name, 'Relu', [x.name]),

  add: (list, { name }, [a, b]) => list.add(name, 'Add', [a.name, b.name]),

  'channel-slice': (list, { name, attrs }, [x]) => slice(list, name, x, attrs),

  'channel-concat': (list, { name }, inputs) => list.add(name, 'Concat', inputs.map((x) => x.name), { axis: 1 }),

  /** Groups and the channels of each change places. Pixels are one dimension: four are what runtimes are made for. */
  'channel-shuffle'(list, { name, attrs: { groups } }, [x]) {
    const { n, h, w, c } = x.shape;
    const grouped = list.reshape(`${name}.grouped`, x.name, [n, groups, c / groups, h * w]);
    const turned = list.add(`${name}.turned`, 'Transpose', [grouped], { perm: [0, 2, 1, 3] });
    return list.reshape(name, turned, [n, c, h, w]);
  },

  'max-pool': (list, { name, attrs }, [x]) => list.add(name, 'MaxPool', [x.name], slidingWindow(attrs)),

  'avg-pool'(list, { name, output }, [x]) {
    const { h, w } = x.shape;
    if (sameImageShape(x.shape, output)) return x.name;
    if (output.h === 1 && output.w === 1) return list.add(name, 'GlobalAveragePool', [x.name]);
    if (h % output.h === 0 && w % output.w === 0) {
      const window = [h / output.h, w / output.w];
      return list.add(name, 'AveragePool', [x.name], { kernel_shape: window, strides: window });
    }
    // No operator has windows that overlap or differ in size: columns, then rows, each as a matrix of averages.
    const columns = list.constant({ name: `${name}.columns`, shape: [w, output.w], values: () => averages(w, output.w, 'columns') });
    const rows = list.constant({ name: `${name}.rows`, shape: [output.h, h], values: () => averages(h, output.h, 'rows') });
    return list.add(name, 'MatMul', [rows, list.add(`${name}.averaged`, 'MatMul', [x.name, columns])]);
  },

  /** Flatten takes C, H, W in this order, as torch does. */
  linear(list, node, [x]) {
    const flat = x.isVector ? x.name : list.add(`${node.name}.flat`, 'Flatten', [x.name]);
    return list.add(node.name, 'Gemm', [flat, ...parameters(list, node)], { transB: 1 });
  },

  softmax: (list, { name }, [x]) => list.add(name, 'Softmax', [x.name], { axis: 1 }),
} satisfies { [K in FoldedOp]: Translate<Extract<FoldedAttrs, { op: K }>> };

/** Ops that take a vector as it is. What they give is one where they were given one; a linear layer always gives one. */
const TAKES_VECTORS: readonly FoldedOp[] = ['relu', 'softmax', 'linear'];

/**
 * The model of a network, as it will be written. Its input is `[N, C, H, W]`; so is its output, or `[N, C]` where that is 1 x 1
 * pixels. Constants are computed when they are asked for.
 */
export function onnxModel(network: FoldedNetwork, metadata: Readonly<Record<string, string>> = {}): OnnxModel {
  const { nodes, input, output } = network;
  const list = new NodeList();
  const values = new Map<string, Value>();
  for (const node of nodes) {
    const { name, attrs } = node;
    const takesVectors = TAKES_VECTORS.includes(attrs.op);
    const inputs = node.inputs.map((x) => values.get(x)!).map((x) => (x.isVector && !takesVectors ? asImage(list, x) : x));
    const translate = translators[attrs.op] as Translate<FoldedAttrs> | undefined;
    if (!translate) throw new CompConvError('invalid-graph', `${name}: the ONNX export does not know the op "${attrs.op}"`);
    const isVector = attrs.op === 'linear' || (takesVectors && inputs[0].isVector);
    values.set(name, { name: translate(list, node, inputs), shape: node.output, isVector });
  }
  const result = values.get(output)!;
  const { h, w } = result.shape;
  const isVector = h === 1 && w === 1;
  return {
    name: network.name,
    doc: 'BatchNorms and biases are folded into the weights; nodes have the names of the layers.',
    metadata: new Map(Object.entries(metadata)),
    nodes: endingInOutput(list, isVector && !result.isVector ? list.add(`${output}.flat`, 'Flatten', [result.name]) : result.name),
    tensors: list.tensors,
    input: { name: INPUT, dims: dimensions(values.get(input)!.shape) },
    output: { name: OUTPUT, dims: dimensions(result.shape).slice(0, isVector ? 2 : 4) },
  };
}

/** The nodes, with the value that the model gives renamed to `output`. */
function endingInOutput(list: NodeList, result: string): OnnxModel['nodes'] {
  // A node must stand between the two.
  const last = result === INPUT ? list.add('identity', 'Identity', [INPUT]) : result;
  const renamed = (name: string) => (name === last ? OUTPUT : name);
  return list.nodes.map((node) => ({ ...node, inputs: node.inputs.map(renamed), output: renamed(node.output) }));
}

function asImage(list: NodeList, { name, shape }: Value): Value {
  return { name: list.reshape(`${name}.image`, name, dimensions(shape)), shape, isVector: false };
}

function dimensions({ n, c, h, w }: ImageShape): number[] {
  return [n, c, h, w];
}

function parameters(list: NodeList, { weight, bias }: FoldedNode): string[] {
  return [weight, bias].filter((tensor) => tensor !== undefined).map((tensor) => list.constant(tensor));
}

function slidingWindow({ kernelSize: k, stride, padding }: SlidingWindow) {
  return { kernel_shape: [k, k], strides: [stride, stride], pads: [padding, padding, padding, padding] };
}

/** Channels from `begin` on; subsampled, where there is a stride. */
function slice(list: NodeList, name: string, { name: x, shape: { h, w } }: Value, { begin, channels, stride }: Omit<ChannelSliceAttrs, 'op'>) {
  const isStrided = stride > 1;
  const integers = (part: string, ofChannels: number, ofPixels: readonly number[]) =>
    list.integers(`${name}.${part}`, isStrided ? [ofChannels, ...ofPixels] : [ofChannels]);
  const inputs = [integers('starts', begin, [0, 0]), integers('ends', begin + channels, [h, w]), integers('axes', 1, [2, 3])];
  return list.add(name, 'Slice', [x, ...inputs, ...(isStrided ? [integers('steps', 1, [stride, stride])] : [])]);
}

/** Adaptive average pooling of one side, as a matrix: `[pooled, size]` times rows, or its transpose behind columns. */
function averages(size: number, pooled: number, along: 'rows' | 'columns'): Float32Array {
  const matrix = new Float32Array(pooled * size);
  for (let i = 0; i < pooled; i++) {
    const begin = Math.floor((i * size) / pooled);
    const end = Math.ceil(((i + 1) * size) / pooled);
    for (let j = begin; j < end; j++) matrix[along === 'rows' ? i * size + j : j * pooled + i] = 1 / (end - begin);
  }
  return matrix;
}

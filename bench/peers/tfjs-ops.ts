/**
 * Every op of a graph as a call of TensorFlow.js on `[N, H, W, C]`, its parameters in tfjs's order. Convolutions and linear
 * layers take a bias and a ReLU along; a channel shuffle is reshape, transpose, reshape, of which tfjs computes one.
 */
import type * as tfjs from '@tensorflow/tfjs-core';
import { CompConvError } from '../../src/errors.ts';
import type { AttrsOf, OpAttrs, OpName } from '../../src/ops/node.ts';
import type { ImageShape } from '../../src/tensor/image-shape.ts';

export type Tf = typeof tfjs;

/** From the values of a node's inputs to that of its output. */
export type Run = (...inputs: tfjs.Tensor4D[]) => tfjs.Tensor4D;

/** Where a call is made for. */
export interface Site {
  readonly tf: Tf;
  /** The node's name, for messages. */
  readonly name: string;
  /** Shapes of the node's inputs. */
  readonly shapes: readonly ImageShape[];
  /** Whether a ReLU comes with it, for those of `TAKES_RELU`. */
  readonly relu: boolean;
  /** A parameter by suffix, in PyTorch's order, made into what tfjs wants; it stays on the GPU. */
  param<T extends tfjs.Tensor>(suffix: string, arrange: (values: tfjs.Tensor) => tfjs.Tensor): T;
  /** Keeps what `make` gives on the GPU. */
  constant<T extends tfjs.Tensor>(make: () => T): T;
}

/** Ops whose call takes a ReLU along. */
export const TAKES_RELU: readonly OpName[] = ['conv2d', 'depthwise-conv2d', 'linear'];

type Make<A extends OpAttrs> = (attrs: A, site: Site) => Run;

const makers = {
  input: () => (x) => x,

  conv2d({ stride, padding, groups, bias }, site) {
    if (groups !== 1) throw new CompConvError('invalid-graph', `tfjs: ${site.name} has ${groups} groups, of which there is no kernel`);
    const { tf, param } = site;
    const filter = param<tfjs.Tensor4D>('.weight', (oihw) => tf.transpose(oihw, [2, 3, 1, 0]));
    return (x) => tf.fused.conv2d({ x, filter, strides: stride, pad: padding, ...epilogue(site, bias) }) as tfjs.Tensor4D;
  },

  'depthwise-conv2d'({ kernelSize, stride, padding, channels, bias }, site) {
    const { tf, shapes, param } = site;
    const filter = param<tfjs.Tensor4D>('.weight', (oihw) => tf.reshape(tf.transpose(oihw, [2, 3, 0, 1]), [kernelSize, kernelSize, channels, 1]));
    const options = { filter, strides: stride, pad: padding, ...epilogue(site, bias) };
    return (x) => {
      const first = channels === shapes[0].c ? x : tf.slice(x, [0, 0, 0, 0], [-1, -1, -1, channels]);
      return tf.fused.depthwiseConv2d({ x: first, ...options }) as tfjs.Tensor4D;
    };
  },

  'comp-conv'(_attrs, { name }) {
    throw new CompConvError('invalid-graph', `tfjs: the CompConv ${name} must be expanded first`);
  },

  'batch-norm'(_attrs, { name }) {
    throw new CompConvError('invalid-graph', `tfjs: the BatchNorm ${name} must be folded first`);
  },

  'channel-bias'(_attrs, { tf, param }) {
    const bias = param('.bias', (values) => tf.clone(values));
    return (x) => tf.add(x, bias);
  },

  relu: (_attrs, { tf }) => (x) => tf.relu(x),

  add: (_attrs, { tf }) => (a, b) => tf.add(a, b),

  'channel-slice'({ begin, channels, stride }, { tf, shapes: [{ n, h, w }] }) {
    if (stride === 1) return (x) => tf.slice(x, [0, 0, 0, begin], [-1, -1, -1, channels]);
    return (x) => tf.stridedSlice(x, [0, 0, 0, begin], [n, h, w, begin + channels], [1, stride, stride, 1]) as tfjs.Tensor4D;
  },

  'channel-concat': (_attrs, { tf }) => (...inputs) => tf.concat(inputs, 3),

  'channel-shuffle'({ groups }, { tf, shapes: [{ n, h, w, c }] }) {
    return (x) => tf.reshape(tf.transpose(tf.reshape(x, [n * h * w, groups, c / groups]), [0, 2, 1]), [n, h, w, c]);
  },

  'max-pool': ({ kernelSize, stride, padding }, { tf }) => (x) => tf.maxPool(x, kernelSize, stride, padding),

  'avg-pool'({ outputHeight, outputWidth }, { tf, shapes: [{ n, h, w, c }], constant }) {
    const window: [number, number] = [h / outputHeight, w / outputWidth];
    if (window.every(Number.isInteger)) return (x) => tf.avgPool(x, window, window, 'valid');
    // Windows of several sizes, which no pooling of tfjs has: a matrix that averages.
    const shares = constant(() => tf.tensor3d(averagingMatrix(h, w, outputHeight, outputWidth), [1, outputHeight * outputWidth, h * w]));
    return (x) => tf.reshape(tf.matMul(shares, tf.reshape(x, [n, h * w, c])), [n, outputHeight, outputWidth, c]);
  },

  linear({ outFeatures, bias }, site) {
    const { tf, shapes: [{ n, h, w, c }], param } = site;
    // Rows in the order of a flattened NHWC value.
    const b = param<tfjs.Tensor2D>('.weight', (matrix) =>
      tf.reshape(tf.transpose(tf.reshape(matrix, [outFeatures, c, h * w]), [2, 1, 0]), [h * w * c, outFeatures]),
    );
    const options = { b, ...epilogue(site, bias) };
    return (x) => tf.reshape(tf.fused.matMul({ a: tf.reshape(x, [n, h * w * c]), ...options }), [n, 1, 1, outFeatures]);
  },

  softmax: (_attrs, { tf }) => (x) => tf.softmax(x, 3),
} satisfies { [K in OpName]: Make<AttrsOf<K>> };

/** Uploads a node's parameters and gives its call. @throws invalid-graph */
export function makeRun(attrs: OpAttrs, site: Site): Run {
  return (makers[attrs.op] as Make<OpAttrs>)(attrs, site);
}

function epilogue({ tf, relu, param }: Site, bias: boolean) {
  const values = bias ? { bias: param<tfjs.Tensor1D>('.bias', (values) => tf.clone(values)) } : {};
  return { ...values, activation: relu ? 'relu' : 'linear' } as const;
}

/** `[H' W', H W]`: each row averages the pixels of one output pixel's window, as PyTorch's adaptive pooling has them. */
function averagingMatrix(h: number, w: number, outputHeight: number, outputWidth: number): Float32Array {
  const span = (i: number, size: number, count: number) => [Math.floor((i * size) / count), Math.ceil(((i + 1) * size) / count)];
  const matrix = new Float32Array(outputHeight * outputWidth * h * w);
  for (let row = 0; row < outputHeight * outputWidth; row++) {
    const [top, bottom] = span(Math.floor(row / outputWidth), h, outputHeight);
    const [left, right] = span(row % outputWidth, w, outputWidth);
    for (let y = top; y < bottom; y++) {
      matrix.fill(1 / ((bottom - top) * (right - left)), row * h * w + y * w + left, row * h * w + y * w + right);
    }
  }
  return matrix;
}

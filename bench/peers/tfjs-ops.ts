/**
 * Every op of a folded network as a call of TensorFlow.js on `[N, H, W, C]`, its weights in tfjs's order. Convolutions and
 * linear layers take a bias and a ReLU along; a channel shuffle is reshape, transpose, reshape, of which tfjs computes one.
 */
import type * as tfjs from '@tensorflow/tfjs-core';
import { CompConvError } from '../../src/errors.ts';
import type { FoldedAttrs, FoldedNode, FoldedTensor } from '../../src/onnx/fold-batch-norms.ts';
import type { ImageShape } from '../../src/tensor/image-shape.ts';

export type Tf = typeof tfjs;

/** From the values of a node's inputs to that of its output. */
export type Run = (...inputs: tfjs.Tensor4D[]) => tfjs.Tensor4D;

/** Where a call is made for. */
export interface Site {
  readonly tf: Tf;
  readonly node: FoldedNode;
  /** Shapes of the node's inputs. */
  readonly shapes: readonly ImageShape[];
  /** Whether a ReLU comes with it, for those of `TAKES_RELU`. */
  readonly relu: boolean;
  /** Keeps what `make` gives until the network goes. */
  constant<T extends tfjs.Tensor>(make: () => T): T;
}

/** Ops whose call takes a ReLU along. */
export const TAKES_RELU: readonly FoldedAttrs['op'][] = ['conv2d', 'depthwise-conv2d', 'linear'];

type Make<A extends FoldedAttrs> = (attrs: A, site: Site) => Run;

const makers = {
  input: () => (x) => x,

  conv2d({ stride, padding, groups }, site) {
    const { tf, node } = site;
    if (groups !== 1) throw new CompConvError('invalid-graph', `tfjs: ${node.name} has ${groups} groups; tfjs has no kernel for that`);
    const filter = weightOf(site, (oihw) => tf.transpose(oihw, [2, 3, 1, 0])) as tfjs.Tensor4D;
    const options = { filter, strides: stride, pad: padding, ...epilogue(site) };
    return (x) => tf.fused.conv2d({ x, ...options });
  },

  'depthwise-conv2d'({ kernelSize: k, stride, padding, channels }, site) {
    const { tf, shapes } = site;
    const filter = weightOf(site, (oihw) => tf.reshape(tf.transpose(oihw, [2, 3, 0, 1]), [k, k, channels, 1])) as tfjs.Tensor4D;
    const options = { filter, strides: stride, pad: padding, ...epilogue(site) };
    const isWhole = channels === shapes[0].c;
    return (x) => tf.fused.depthwiseConv2d({ x: isWhole ? x : tf.slice(x, [0, 0, 0, 0], [-1, -1, -1, channels]), ...options });
  },

  /** A BatchNorm without statistics is one call; a product and a sum are two. */
  'channel-affine'(_attrs, site) {
    const { tf, node, constant } = site;
    const bias = biasOf(site)!;
    if (!node.weight) return (x) => tf.add(x, bias);
    const scale = weightOf(site, (values) => values) as tfjs.Tensor1D;
    const mean = constant(() => tf.zerosLike(scale));
    const variance = constant(() => tf.onesLike(scale));
    return (x) => tf.batchNorm(x, mean, variance, bias, scale, 0);
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

  linear({ outFeatures }, site) {
    const { tf, shapes: [{ n, h, w, c }] } = site;
    // Rows in the order of a flattened NHWC value.
    const b = weightOf(site, (matrix) =>
      tf.reshape(tf.transpose(tf.reshape(matrix, [outFeatures, c, h * w]), [2, 1, 0]), [h * w * c, outFeatures]),
    );
    const options = { b, ...epilogue(site) };
    return (x) => tf.reshape(tf.fused.matMul({ a: tf.reshape(x, [n, h * w * c]), ...options }), [n, 1, 1, outFeatures]);
  },

  softmax: (_attrs, { tf }) => (x) => tf.softmax(x, 3),
} satisfies { [K in FoldedAttrs['op']]: Make<Extract<FoldedAttrs, { op: K }>> };

/** Uploads a node's weights and gives its call. @throws invalid-graph */
export function makeRun(site: Site): Run {
  return (makers[site.node.attrs.op] as Make<FoldedAttrs>)(site.node.attrs, site);
}

/** The node's weight, put into tfjs's order. */
function weightOf({ tf, node, constant }: Site, arrange: (values: tfjs.Tensor) => tfjs.Tensor): tfjs.Tensor {
  return constant(() => arrange(toTfjs(tf, node.weight!)));
}

function biasOf({ tf, node, constant }: Site): tfjs.Tensor1D | undefined {
  const { bias } = node;
  return bias && constant(() => toTfjs(tf, bias) as tfjs.Tensor1D);
}

function toTfjs(tf: Tf, { shape, values }: FoldedTensor): tfjs.Tensor {
  return tf.tensor(values(), [...shape]);
}

/** What a convolution or linear layer does with its sums. */
function epilogue(site: Site) {
  const bias = biasOf(site);
  return { ...(bias && { bias }), activation: site.relu ? 'relu' : 'linear' } as const;
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

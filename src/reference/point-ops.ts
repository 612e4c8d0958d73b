/** What each op means for one element of its result: a table like `run.ts`'s, for `point.ts`. */
import { invariant } from '../errors.ts';
import type { AttrsOf, OpAttrs, OpName } from '../ops/node.ts';
import type { ImageShape } from '../tensor/image-shape.ts';

/** The channels of one pixel; NaN where they were not asked for. */
export interface Row {
  readonly values: Float64Array;
  readonly variances: Float64Array;
}

/** An element. */
export interface Point {
  readonly value: number;
  /** Of the error that rounding leads to expect. */
  readonly variance: number;
}

/** How sums and what is stored are rounded: the largest relative error of one rounding. */
export interface Roundoff {
  readonly sum: number;
  readonly stored: number;
}

/** What an op's evaluator works with. */
export interface Context {
  readonly inputs: readonly ImageShape[];
  readonly output: ImageShape;
  /** Channels `begin` to `end` of a pixel of an input, computed. */
  read(input: number, pixel: number, begin: number, end: number): Row;
  /** Data of a parameter by suffix. */
  param(suffix: string): Float32Array;
  /** A sum of so many terms, `squares` those of the terms. */
  sum(value: number, terms: number, squares: number, variance: number): Point;
  readonly roundoff: Roundoff;
}

export type Evaluate<A extends OpAttrs> = (attrs: A, context: Context, pixel: number, channel: number) => Point;

/** Image, row and column of a pixel. */
function placeOf(pixel: number, { h, w }: ImageShape): [image: number, y: number, x: number] {
  return [Math.floor(pixel / (h * w)), Math.floor(pixel / w) % h, pixel % w];
}

/** Calls `visit` with every pixel of the input under a window, and its tap. */
function visitWindow(
  attrs: { readonly kernelSize: number; readonly stride: number; readonly padding: number },
  { inputs: [{ h, w }], output }: Context,
  pixel: number,
  visit: (pixel: number, tap: number) => void,
): void {
  const { kernelSize: k, stride, padding } = attrs;
  const [image, oy, ox] = placeOf(pixel, output);
  for (let ky = 0; ky < k; ky++) {
    const y = oy * stride - padding + ky;
    if (y < 0 || y >= h) continue;
    for (let kx = 0; kx < k; kx++) {
      const x = ox * stride - padding + kx;
      if (x >= 0 && x < w) visit((image * h + y) * w + x, ky * k + kx);
    }
  }
}

/** Sum of weights, from `at` on every `step`-th, times channels begin..end; of the products' squares; and the variance it hands on. */
function dot(weight: Float32Array, at: number, step: number, { values, variances }: Row, begin: number, end: number) {
  let [sum, squares, variance] = [0, 0, 0];
  for (let i = begin; i < end; i++, at += step) {
    const term = weight[at] * values[i];
    sum += term;
    squares += term * term;
    variance += weight[at] * weight[at] * variances[i];
  }
  return { sum, squares, variance };
}

/** `bias + sum of weights times channels begin..end` under the window; weights `[end - begin, k, k]` from `from` on. */
function convolve(
  attrs: { readonly kernelSize: number; readonly stride: number; readonly padding: number; readonly bias: boolean },
  context: Context,
  pixel: number,
  channel: number,
  begin: number,
  end: number,
): Point {
  const weight = context.param('.weight');
  const taps = attrs.kernelSize ** 2;
  const from = channel * (end - begin) * taps;
  let [sum, squares, variance, terms] = [attrs.bias ? context.param('.bias')[channel] : 0, 0, 0, 0];
  squares += sum ** 2;
  visitWindow(attrs, context, pixel, (source, tap) => {
    const row = dot(weight, from + tap, taps, context.read(0, source, begin, end), begin, end);
    sum += row.sum;
    squares += row.squares;
    variance += row.variance;
    terms += end - begin;
  });
  return context.sum(sum, terms, squares, variance);
}

/** `x * factor + shift`. */
function affine(context: Context, pixel: number, channel: number, factor: number, shift: number): Point {
  const { values, variances } = context.read(0, pixel, channel, channel + 1);
  const product = values[channel] * factor;
  return context.sum(product + shift, 2, product ** 2 + shift ** 2, variances[channel] * factor ** 2);
}

const pointOf = ({ values, variances }: Row, channel: number): Point => ({ value: values[channel], variance: variances[channel] });

export const evaluators = {
  input: () => invariant(false, 'the input of the graph must be given') as never,
  'comp-conv': () => invariant(false, 'modules must be expanded') as never,
  conv2d(attrs, context, pixel, channel) {
    const width = context.inputs[0].c / attrs.groups;
    const begin = Math.floor(channel / (attrs.outChannels / attrs.groups)) * width;
    return convolve(attrs, context, pixel, channel, begin, begin + width);
  },
  'depthwise-conv2d': (attrs, context, pixel, channel) => convolve(attrs, context, pixel, channel, channel, channel + 1),
  'batch-norm'({ epsilon }, context, pixel, channel) {
    const [gamma, beta, mean, variance] = ['.weight', '.bias', '.running_mean', '.running_var'].map((suffix) => context.param(suffix)[channel]);
    const factor = gamma / Math.sqrt(variance + epsilon);
    return affine(context, pixel, channel, factor, beta - mean * factor);
  },
  'channel-bias': (_attrs, context, pixel, channel) => affine(context, pixel, channel, 1, context.param('.bias')[channel]),
  relu(_attrs, context, pixel, channel) {
    const { value, variance } = pointOf(context.read(0, pixel, channel, channel + 1), channel);
    return { value: Math.max(value, 0), variance };
  },
  add(_attrs, context, pixel, channel) {
    const [a, b] = [0, 1].map((input) => pointOf(context.read(input, pixel, channel, channel + 1), channel));
    return context.sum(a.value + b.value, 2, a.value ** 2 + b.value ** 2, a.variance + b.variance);
  },
  'channel-slice'({ begin, stride }, context, pixel, channel) {
    const [{ h, w }] = context.inputs;
    const [image, y, x] = placeOf(pixel, context.output);
    const source = (image * h + y * stride) * w + x * stride;
    return pointOf(context.read(0, source, begin + channel, begin + channel + 1), begin + channel);
  },
  'channel-concat'(_attrs, { inputs, read }, pixel, channel) {
    let [input, own] = [0, channel];
    while (own >= inputs[input].c) own -= inputs[input++].c;
    return pointOf(read(input, pixel, own, own + 1), own);
  },
  'channel-shuffle'({ groups }, { output, read }, pixel, channel) {
    const source = (channel % groups) * (output.c / groups) + Math.floor(channel / groups);
    return pointOf(read(0, pixel, source, source + 1), source);
  },
  'max-pool'(attrs, context, pixel, channel) {
    let [max, variance] = [-Infinity, 0];
    visitWindow(attrs, context, pixel, (source) => {
      const point = pointOf(context.read(0, source, channel, channel + 1), channel);
      [max, variance] = [Math.max(max, point.value), Math.max(variance, point.variance)];
    });
    return { value: max, variance };
  },
  'avg-pool'({ outputHeight, outputWidth }, { inputs: [{ h, w }], output, read, sum }, pixel, channel) {
    const [image, oy, ox] = placeOf(pixel, output);
    const range = (o: number, size: number, outputs: number) => [Math.floor((o * size) / outputs), Math.ceil(((o + 1) * size) / outputs)];
    const [[top, bottom], [left, right]] = [range(oy, h, outputHeight), range(ox, w, outputWidth)];
    const count = (bottom - top) * (right - left);
    let [total, squares, variance] = [0, 0, 0];
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const point = pointOf(read(0, (image * h + y) * w + x, channel, channel + 1), channel);
        total += point.value;
        squares += point.value ** 2;
        variance += point.variance;
      }
    }
    return sum(total / count, count, squares / count ** 2, variance / count ** 2);
  },
  linear({ bias }, { inputs: [{ h, w, c }], param, read, sum }, pixel, channel) {
    const [weight, pixels] = [param('.weight'), h * w];
    const from = channel * c * pixels;
    let total = bias ? param('.bias')[channel] : 0;
    let [squares, variance] = [total ** 2, 0];
    // The output has one pixel per image.
    for (let source = 0; source < pixels; source++) {
      const row = dot(weight, from + source, pixels, read(0, pixel * pixels + source, 0, c), 0, c);
      total += row.sum;
      squares += row.squares;
      variance += row.variance;
    }
    return sum(total, c * pixels, squares, variance);
  },
  softmax(_attrs, { output: { c }, read, roundoff }, pixel, channel) {
    const { values, variances } = read(0, pixel, 0, c);
    const max = values.reduce((a, b) => Math.max(a, b));
    const exps = values.map((value) => Math.exp(value - max));
    const value = exps[channel] / exps.reduce((a, b) => a + b);
    // exp(x) in WGSL may be off by 3 + 2 |x| units in the last place; errors of the inputs are relative ones of the result.
    const worst = Math.max(...values.map((each) => 2 * (3 + 2 * Math.abs(each - max))));
    return { value, variance: value ** 2 * (2 * Math.max(...variances) + (roundoff.sum * worst) ** 2) };
  },
} satisfies { [K in OpName]: Evaluate<AttrsOf<K>> };

/**
 * CompConv straight from the recursion (spec, section 1), with `XA` and `XB` indexed as there. The check on
 * `modules/comp-conv.ts` and on the channel arithmetic of `ops/comp-conv-channels.ts`, so it uses neither.
 */
import { invariant } from '../errors.ts';
import { formatShape, sameShape, type Tensor } from '../tensor/tensor.ts';
import type { Activation } from './activation.ts';
import { batchNorm, type BatchNormParams } from './batch-norm.ts';
import { channelBias } from './channel-bias.ts';
import { channelConcat } from './channel-concat.ts';
import { channelShuffle } from './channel-shuffle.ts';
import { channelSlice } from './channel-slice.ts';
import { conv2d, type ConvParams } from './conv2d.ts';
import { depthwiseConv2d } from './depthwise-conv2d.ts';
import { relu } from './relu.ts';

/** One sub-convolution; with `norm`, BatchNorm and ReLU come after it (`inner: 'bn-relu'`). */
export interface PartParams extends ConvParams {
  readonly norm?: BatchNormParams;
}

export interface CompConvParams {
  /** `[c, C_in, k, k]` */
  readonly primitive: PartParams;
  /** `[2c, 2c, k, k]`, then `[4c, 4c, k, k]`; `depth - 1` of them. */
  readonly grow: readonly PartParams[];
  /** `[t, 1, k, k]` */
  readonly tail: PartParams;
  /** `[C_out]` */
  readonly bias?: Tensor;
}

export interface CompConvOptions {
  readonly outChannels: number;
  readonly kernelSize: number;
  /** Stride and padding of the primitive; everything after it is stride 1 with "same" padding. */
  readonly stride: number;
  readonly padding: number;
  /** 1..3; depth 0 is `conv2d`. */
  readonly depth: number;
  readonly shuffleGroups: number;
  /** Epsilon of the BatchNorms inside. */
  readonly epsilon: number;
}

/** `[N, H, W, C_in]` to `[N, floor((H + 2 p - k) / s) + 1, ..., C_out]`. */
export function compConv(x: Activation, params: CompConvParams, options: CompConvOptions): Activation {
  const { outChannels, kernelSize: k, stride, padding, depth: d, shuffleGroups, epsilon } = options;
  const primitiveWidth = Math.ceil(outChannels / (2 * (2 ** d - 1)));
  const width = (i: number) => 2 ** (d - 1 - i) * primitiveWidth;
  const same = { stride: 1, padding: (k - 1) / 2 };
  const finish = (value: Activation, { norm }: PartParams) => (norm ? relu(batchNorm(value, norm, epsilon)) : value);

  const XA: Activation[] = [];
  const XB: Activation[] = [];
  checkWeight('primitive', params.primitive, [primitiveWidth, x.shape.c, k, k]);
  XB[d - 1] = finish(conv2d(x, params.primitive, { stride, padding }), params.primitive);
  let taken = 0;
  for (let i = d - 2; i >= 0; i--) {
    XA[i + 1] = channelSlice(x, { begin: taken, channels: width(i + 1), stride });
    taken += width(i + 1);
    const grow = params.grow[d - 2 - i];
    checkWeight(`grow.${d - 2 - i}`, grow, [width(i), width(i), k, k]);
    XB[i] = finish(conv2d(channelConcat([XA[i + 1], XB[i + 1]]), grow, same), grow);
  }
  // All parts but X_A[0] are full; it gets what they leave of C_out.
  let tailWidth = outChannels;
  for (let i = 0; i < d; i++) tailWidth -= i === 0 ? width(0) : 2 * width(i);
  checkWeight('tail', params.tail, [tailWidth, 1, k, k]);
  XA[0] = finish(depthwiseConv2d(XB[0], params.tail, same), params.tail);

  const parts: Activation[] = [];
  for (let i = d - 1; i >= 0; i--) parts.push(XA[i], XB[i]);
  // X_A[d-1] exists only where there was a grow to feed: at depth 1 it is X_A[0], the tail.
  const shuffled = channelShuffle(channelConcat(parts), shuffleGroups);
  return params.bias ? channelBias(shuffled, params.bias) : shuffled;
}

function checkWeight(part: string, { weight }: PartParams, expected: readonly number[]): void {
  invariant(
    sameShape(weight.shape, expected),
    `reference comp-conv: ${part}.weight must be ${formatShape(expected)}, got ${formatShape(weight.shape)}`,
  );
}

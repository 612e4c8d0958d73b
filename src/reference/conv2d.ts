/** Plain or grouped convolution: `y[o] = bias[o] + sum over ky, kx, i of w[o, i, ky, kx] x[i]`; padding is 0. */
import type { Tensor } from '../tensor/tensor.ts';
import { zeros, type Activation } from './activation.ts';

export interface ConvParams {
  /** `[O, I / groups, k, k]` */
  readonly weight: Tensor;
  /** `[O]` */
  readonly bias?: Tensor;
}

export interface ConvOptions {
  readonly stride: number;
  readonly padding: number;
  /** Default 1. */
  readonly groups?: number;
}

/** `[N, H, W, I]` to `[N, floor((H + 2 p - k) / s) + 1, ..., O]`, as `torch.nn.functional.conv2d`. */
export function conv2d(x: Activation, { weight, bias }: ConvParams, options: ConvOptions): Activation {
  const { stride, padding, groups = 1 } = options;
  const { n, h, w, c } = x.shape;
  const [outChannels, groupChannels, k] = weight.shape;
  const size = (length: number) => Math.floor((length + 2 * padding - k) / stride) + 1;
  const y = zeros({ n, h: size(h), w: size(w), c: outChannels });
  const filter = new Float64Array(k * k * groupChannels);
  for (let o = 0; o < outChannels; o++) {
    // One output channel's filter at a time, turned to [ky, kx, i]: the order in which the input lies in memory.
    for (let i = 0; i < groupChannels; i++) {
      for (let tap = 0; tap < k * k; tap++) {
        filter[tap * groupChannels + i] = weight.data[(o * groupChannels + i) * k * k + tap];
      }
    }
    const firstChannel = Math.floor(o / (outChannels / groups)) * groupChannels;
    const start = bias ? bias.data[o] : 0;
    for (let b = 0; b < n; b++) {
      for (let oy = 0; oy < y.shape.h; oy++) {
        for (let ox = 0; ox < y.shape.w; ox++) {
          let sum = start;
          for (let ky = 0; ky < k; ky++) {
            const iy = oy * stride - padding + ky;
            if (iy < 0 || iy >= h) continue;
            for (let kx = 0; kx < k; kx++) {
              const ix = ox * stride - padding + kx;
              if (ix < 0 || ix >= w) continue;
              const from = ((b * h + iy) * w + ix) * c + firstChannel;
              const tap = (ky * k + kx) * groupChannels;
              for (let i = 0; i < groupChannels; i++) sum += x.data[from + i] * filter[tap + i];
            }
          }
          y.data[((b * y.shape.h + oy) * y.shape.w + ox) * outChannels + o] = sum;
        }
      }
    }
  }
  return y;
}

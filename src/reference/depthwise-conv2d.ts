/** Depthwise convolution of the input's first channels: `y[o] = bias[o] + sum over ky, kx of w[o, 0, ky, kx] x[o]`. */
import { zeros, type Activation } from './activation.ts';
import type { ConvParams } from './conv2d.ts';

/** `[N, H, W, C]` and weights `[C', 1, k, k]`, `C' <= C`, to `[N, H', W', C']`; zeros outside the image. */
export function depthwiseConv2d(
  x: Activation,
  { weight, bias }: ConvParams,
  { stride, padding }: { readonly stride: number; readonly padding: number },
): Activation {
  const { n, h, w, c } = x.shape;
  const [channels, , k] = weight.shape;
  const size = (length: number) => Math.floor((length + 2 * padding - k) / stride) + 1;
  const y = zeros({ n, h: size(h), w: size(w), c: channels });
  let at = 0;
  for (let b = 0; b < n; b++) {
    for (let oy = 0; oy < y.shape.h; oy++) {
      for (let ox = 0; ox < y.shape.w; ox++) {
        for (let o = 0; o < channels; o++) {
          let sum = bias ? bias.data[o] : 0;
          for (let ky = 0; ky < k; ky++) {
            const iy = oy * stride - padding + ky;
            if (iy < 0 || iy >= h) continue;
            for (let kx = 0; kx < k; kx++) {
              const ix = ox * stride - padding + kx;
              if (ix < 0 || ix >= w) continue;
              sum += x.data[((b * h + iy) * w + ix) * c + o] * weight.data[(o * k + ky) * k + kx];
            }
          }
          y.data[at++] = sum;
        }
      }
    }
  }
  return y;
}

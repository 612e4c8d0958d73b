/** Max pooling, as `torch.nn.functional.max_pool2d`: padding never wins, a NaN in the window does. */
import { zeros, type Activation } from './activation.ts';

export interface MaxPoolOptions {
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
}

/** `[N, H, W, C]` to `[N, floor((H + 2 p - k) / s) + 1, ..., C]`. */
export function maxPool(x: Activation, { kernelSize: k, stride, padding }: MaxPoolOptions): Activation {
  const { n, h, w, c } = x.shape;
  const size = (length: number) => Math.floor((length + 2 * padding - k) / stride) + 1;
  const y = zeros({ n, h: size(h), w: size(w), c });
  let at = 0;
  for (let b = 0; b < n; b++) {
    for (let oy = 0; oy < y.shape.h; oy++) {
      for (let ox = 0; ox < y.shape.w; ox++) {
        const top = oy * stride - padding;
        const left = ox * stride - padding;
        for (let ch = 0; ch < c; ch++) {
          let max = -Infinity;
          for (let iy = Math.max(top, 0); iy < Math.min(top + k, h); iy++) {
            for (let ix = Math.max(left, 0); ix < Math.min(left + k, w); ix++) {
              max = Math.max(max, x.data[((b * h + iy) * w + ix) * c + ch]);
            }
          }
          y.data[at++] = max;
        }
      }
    }
  }
  return y;
}

/** Adaptive average pooling, as `torch.nn.functional.adaptive_avg_pool2d`; windows may overlap and differ in size. */
import { zeros, type Activation } from './activation.ts';

/**
 * `[N, H, W, C]` to `[N, H', W', C]`; output row `i` averages the input rows from `floor(i H / H')` up to, but not
 * including, `ceil((i + 1) H / H')`; columns likewise.
 */
export function avgPool(x: Activation, outputHeight: number, outputWidth: number): Activation {
  const { n, h, w, c } = x.shape;
  const y = zeros({ n, h: outputHeight, w: outputWidth, c });
  let at = 0;
  for (let b = 0; b < n; b++) {
    for (let oy = 0; oy < outputHeight; oy++) {
      const top = Math.floor((oy * h) / outputHeight);
      const bottom = Math.ceil(((oy + 1) * h) / outputHeight);
      for (let ox = 0; ox < outputWidth; ox++) {
        const left = Math.floor((ox * w) / outputWidth);
        const right = Math.ceil(((ox + 1) * w) / outputWidth);
        for (let ch = 0; ch < c; ch++) {
          let sum = 0;
          for (let iy = top; iy < bottom; iy++) {
            for (let ix = left; ix < right; ix++) sum += x.data[((b * h + iy) * w + ix) * c + ch];
          }
          y.data[at++] = sum / ((bottom - top) * (right - left));
        }
      }
    }
  }
  return y;
}

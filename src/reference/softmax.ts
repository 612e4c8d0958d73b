/** `exp(x - max) / sum` over the channels of each pixel; one NaN makes the whole pixel NaN, as in torch. */
import { zeros, type Activation } from './activation.ts';

/** Over channels; shape unchanged. */
export function softmax(x: Activation): Activation {
  const { n, h, w, c } = x.shape;
  const y = zeros(x.shape);
  for (let pixel = 0; pixel < n * h * w; pixel++) {
    const values = x.data.subarray(pixel * c, (pixel + 1) * c);
    // Subtracting the maximum changes nothing but keeps exp() from overflowing.
    const max = values.reduce((a, b) => Math.max(a, b), -Infinity);
    const exps = values.map((value) => Math.exp(value - max));
    const sum = exps.reduce((a, b) => a + b, 0);
    for (let ch = 0; ch < c; ch++) y.data[pixel * c + ch] = exps[ch] / sum;
  }
  return y;
}

/** Fully connected layer over the input flattened in torch's order (C, H, W): `y = weight x + bias`. */
import type { Tensor } from '../tensor/tensor.ts';
import { zeros, type Activation } from './activation.ts';

export interface LinearParams {
  /** `[O, C H W]` */
  readonly weight: Tensor;
  /** `[O]` */
  readonly bias?: Tensor;
}

/** `[N, H, W, C]` to `[N, 1, 1, O]`. */
export function linear(x: Activation, { weight, bias }: LinearParams): Activation {
  const { n, h, w, c } = x.shape;
  const [outFeatures, inFeatures] = weight.shape;
  const y = zeros({ n, h: 1, w: 1, c: outFeatures });
  const flat = new Float64Array(inFeatures);
  for (let b = 0; b < n; b++) {
    let to = 0;
    for (let ch = 0; ch < c; ch++) {
      for (let pixel = 0; pixel < h * w; pixel++) flat[to++] = x.data[(b * h * w + pixel) * c + ch];
    }
    for (let o = 0; o < outFeatures; o++) {
      let sum = bias ? bias.data[o] : 0;
      for (let i = 0; i < inFeatures; i++) sum += weight.data[o * inFeatures + i] * flat[i];
      y.data[b * outFeatures + o] = sum;
    }
  }
  return y;
}

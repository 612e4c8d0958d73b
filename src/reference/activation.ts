/**
 * A value of the reference: dense NHWC in float64, no padding lanes. Only here do image and matrix tensors of the host
 * (PyTorch's order) turn into it and back.
 */
import { CompConvError } from '../errors.ts';
import { formatShape, tensor, type Tensor } from '../tensor/tensor.ts';
import type { ImageShape } from '../tensor/image-shape.ts';

export interface Activation {
  readonly shape: ImageShape;
  /** `data[((n H + y) W + x) C + c]` */
  readonly data: Float64Array;
}

/** An activation of zeros. */
export function zeros(shape: ImageShape): Activation {
  return { shape, data: new Float64Array(shape.n * shape.h * shape.w * shape.c) };
}

/** `[N, C, H, W]`, or `[N, C]` as 1 x 1 pixels, to an activation. @throws invalid-argument for any other rank. */
export function fromTensor({ shape, data }: Tensor): Activation {
  if (shape.length !== 4 && shape.length !== 2) {
    throw new CompConvError(
      'invalid-argument',
      `reference: an image must be [N, C, H, W] or [N, C], got ${formatShape(shape)}`,
    );
  }
  const [n, c, h = 1, w = 1] = shape;
  const y = zeros({ n, h, w, c });
  const pixels = h * w;
  for (let b = 0; b < n; b++) {
    for (let ch = 0; ch < c; ch++) {
      for (let p = 0; p < pixels; p++) y.data[(b * pixels + p) * c + ch] = data[(b * c + ch) * pixels + p];
    }
  }
  return y;
}

/** An activation to `[N, C, H, W]`, or to `[N, C]` where it is 1 x 1 pixels; values are rounded to float32. */
export function toTensor({ shape: { n, h, w, c }, data }: Activation): Tensor {
  const pixels = h * w;
  const values = new Float32Array(data.length);
  for (let b = 0; b < n; b++) {
    for (let ch = 0; ch < c; ch++) {
      for (let p = 0; p < pixels; p++) values[(b * c + ch) * pixels + p] = data[(b * pixels + p) * c + ch];
    }
  }
  return tensor(pixels === 1 ? [n, c] : [n, c, h, w], values);
}

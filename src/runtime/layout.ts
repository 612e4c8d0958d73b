/** Between a tensor of the host (`[N, C, H, W]` dense) and an activation of the GPU (NHWC, channels padded to vec4s). */
import { channelPitch, plainLayout, type ChannelLayout } from '../tensor/channel-layout.ts';
import type { Dtype } from '../tensor/dtype.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { f16ToF32, f32ToF16 } from '../weights/half.ts';

/** `[N, C, H, W]` to NHWC; padding lanes 0. */
export function packActivation(data: Float32Array, { n, h, w, c }: ImageShape): Float32Array<ArrayBuffer> {
  const pitch = channelPitch(c);
  const packed = new Float32Array(n * h * w * pitch);
  let source = 0;
  for (let image = 0; image < n; image++) {
    for (let channel = 0; channel < c; channel++) {
      let target = image * h * w * pitch + channel;
      for (let pixel = 0; pixel < h * w; pixel++, target += pitch) packed[target] = data[source++];
    }
  }
  return packed;
}

/**
 * NHWC to `[N, C, H, W]`, or to `[N, C]` where there is one pixel: a classifier's logits.
 * @param layout where each channel of a pixel lies; default in the graph's own order, as outputs do
 */
export function unpackActivation(packed: Float32Array, shape: ImageShape, layout: ChannelLayout = plainLayout(shape.c)): Tensor {
  const { n, h, w, c } = shape;
  const { pitch, lanes } = layout;
  const data = new Float32Array(n * c * h * w);
  let target = 0;
  for (let image = 0; image < n; image++) {
    for (let channel = 0; channel < c; channel++) {
      let source = image * h * w * pitch + lanes[channel];
      for (let pixel = 0; pixel < h * w; pixel++, source += pitch) data[target++] = packed[source];
    }
  }
  return { shape: denseShape(shape), data };
}

/** `[N, C, H, W]`, or `[N, C]` where there is one pixel. */
export function denseShape({ n, h, w, c }: ImageShape): number[] {
  return h === 1 && w === 1 ? [n, c] : [n, c, h, w];
}

/** Values as the GPU stores them. */
export function toStored(values: Float32Array<ArrayBuffer>, dtype: Dtype): Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer> {
  return dtype === 'f16' ? f32ToF16(values) : values;
}

/** What the GPU stored; a copy. */
export function fromStored(bytes: ArrayBuffer, dtype: Dtype): Float32Array {
  return dtype === 'f16' ? f16ToF32(new Uint16Array(bytes)) : new Float32Array(bytes).slice();
}

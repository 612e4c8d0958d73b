/** A run of channels, subsampled: `x[:, ::s, ::s, begin : begin + channels]`. */
import { zeros, type Activation } from './activation.ts';

export interface ChannelSliceOptions {
  readonly begin: number;
  readonly channels: number;
  readonly stride: number;
}

/** `[N, H, W, C]` to `[N, ceil(H / s), ceil(W / s), channels]`. */
export function channelSlice(x: Activation, { begin, channels, stride }: ChannelSliceOptions): Activation {
  const { n, h, w, c } = x.shape;
  const y = zeros({ n, h: Math.ceil(h / stride), w: Math.ceil(w / stride), c: channels });
  let at = 0;
  for (let b = 0; b < n; b++) {
    for (let iy = 0; iy < h; iy += stride) {
      for (let ix = 0; ix < w; ix += stride) {
        for (let ch = 0; ch < channels; ch++) y.data[at++] = x.data[((b * h + iy) * w + ix) * c + begin + ch];
      }
    }
  }
  return y;
}

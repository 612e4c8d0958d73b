/** ShuffleNet's channel shuffle (arXiv 1707.01083): the channels as a `[g, C/g]` matrix, transposed. */
import { zeros, type Activation } from './activation.ts';

/** `y[j g + q] = x[q C/g + j]`; shape unchanged, `groups` divides C. */
export function channelShuffle(x: Activation, groups: number): Activation {
  const { n, h, w, c } = x.shape;
  const perGroup = c / groups;
  const y = zeros(x.shape);
  for (let pixel = 0; pixel < n * h * w; pixel++) {
    for (let q = 0; q < groups; q++) {
      for (let j = 0; j < perGroup; j++) y.data[pixel * c + j * groups + q] = x.data[pixel * c + q * perGroup + j];
    }
  }
  return y;
}

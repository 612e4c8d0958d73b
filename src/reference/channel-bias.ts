/** One value added per channel. */
import type { Tensor } from '../tensor/tensor.ts';
import { zeros, type Activation } from './activation.ts';

/** `x[c] + bias[c]`; `bias` is `[C]`, shape unchanged. */
export function channelBias(x: Activation, bias: Tensor): Activation {
  const y = zeros(x.shape);
  for (let at = 0; at < y.data.length; at++) y.data[at] = x.data[at] + bias.data[at % x.shape.c];
  return y;
}

/** Concatenation along channels. */
import { invariant } from '../errors.ts';
import { zeros, type Activation } from './activation.ts';

/** Inputs of one `[N, H, W]` to `[N, H, W, sum of their channels]`, in the order given. */
export function channelConcat(inputs: readonly Activation[]): Activation {
  const { n, h, w } = inputs[0].shape;
  const y = zeros({ n, h, w, c: inputs.reduce((sum, { shape }) => sum + shape.c, 0) });
  let begin = 0;
  for (const { shape, data } of inputs) {
    invariant(shape.n === n && shape.h === h && shape.w === w, 'reference channel-concat: the inputs differ in pixels');
    for (let pixel = 0; pixel < n * h * w; pixel++) {
      for (let ch = 0; ch < shape.c; ch++) y.data[pixel * y.shape.c + begin + ch] = data[pixel * shape.c + ch];
    }
    begin += shape.c;
  }
  return y;
}

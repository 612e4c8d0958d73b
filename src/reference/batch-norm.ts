/** BatchNorm in inference, written as it is defined, not folded into a scale and a shift. */
import type { Tensor } from '../tensor/tensor.ts';
import { zeros, type Activation } from './activation.ts';

/** All `[C]`. */
export interface BatchNormParams {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly runningMean: Tensor;
  readonly runningVar: Tensor;
}

/** `(x - running_mean) / sqrt(running_var + epsilon) * weight + bias` per channel; shape unchanged. */
export function batchNorm(x: Activation, params: BatchNormParams, epsilon: number): Activation {
  const { weight, bias, runningMean, runningVar } = params;
  const { c } = x.shape;
  const y = zeros(x.shape);
  for (let at = 0; at < y.data.length; at++) {
    const ch = at % c;
    const normal = (x.data[at] - runningMean.data[ch]) / Math.sqrt(runningVar.data[ch] + epsilon);
    y.data[at] = normal * weight.data[ch] + bias.data[ch];
  }
  return y;
}

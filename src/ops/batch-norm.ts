/** BatchNorm in inference: `(x - running_mean) / sqrt(running_var + epsilon) * weight + bias`, per channel. */
import type { OpDefinition } from './definition.ts';

/** BatchNorm as at inference, per channel. */
export interface BatchNormAttrs {
  readonly op: 'batch-norm';
  readonly epsilon: number;
}

/** The epsilon of `torch.nn.BatchNorm2d`. */
export const BATCH_NORM_EPSILON = 1e-5;

export const batchNorm: OpDefinition<BatchNormAttrs> = {
  inferShape(_attrs, [x]) {
    return x;
  },
  params(_attrs, [x]) {
    return [
      ['.weight', [x.c]],
      ['.bias', [x.c]],
      ['.running_mean', [x.c]],
      ['.running_var', [x.c]],
    ];
  },
};

/** Buffers of a `state_dict` that are no trainable parameters; not counted as parameters (spec, section 3). */
export function isRunningStatistic(paramName: string): boolean {
  return paramName.endsWith('.running_mean') || paramName.endsWith('.running_var');
}

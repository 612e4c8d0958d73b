/**
 * Adaptive average pooling to `outputHeight x outputWidth`, as `torch.nn.AdaptiveAvgPool2d`: output pixel `i` averages
 * input rows `floor(i H / H')` up to `ceil((i + 1) H / H')`. Global average pooling is `1 x 1`.
 */
import { CompConvError } from '../errors.ts';
import type { OpDefinition } from './definition.ts';

/** Mean over as many windows as the output has pixels, as `torch.nn.AdaptiveAvgPool2d`. */
export interface AvgPoolAttrs {
  readonly op: 'avg-pool';
  readonly outputHeight: number;
  readonly outputWidth: number;
}

export const avgPool: OpDefinition<AvgPoolAttrs> = {
  inferShape({ outputHeight, outputWidth }, [x], where) {
    if (!Number.isInteger(outputHeight) || !Number.isInteger(outputWidth) || outputHeight < 1 || outputWidth < 1) {
      throw new CompConvError('invalid-graph', `${where}: output size must be positive, got ${outputHeight}x${outputWidth}`);
    }
    return { n: x.n, h: outputHeight, w: outputWidth, c: x.c };
  },
};

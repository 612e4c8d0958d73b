/**
 * Fully connected layer. It flattens its input in torch's order (C, H, W), so a `Flatten` before it needs no op; output
 * `[N, 1, 1, outFeatures]`.
 */
import { CompConvError } from '../errors.ts';
import type { OpDefinition } from './definition.ts';

/** A matrix over all elements, in the order C, H, W. */
export interface LinearAttrs {
  readonly op: 'linear';
  readonly outFeatures: number;
  readonly bias: boolean;
}

export const linear: OpDefinition<LinearAttrs> = {
  inferShape({ outFeatures }, [x], where) {
    if (!Number.isInteger(outFeatures) || outFeatures < 1) {
      throw new CompConvError('invalid-graph', `${where}: outFeatures must be a positive integer, got ${outFeatures}`);
    }
    return { n: x.n, h: 1, w: 1, c: outFeatures };
  },
  params({ outFeatures, bias }, [x]) {
    return [
      ['.weight', [outFeatures, x.c * x.h * x.w]],
      ...(bias ? ([['.bias', [outFeatures]]] as const) : []),
    ];
  },
  macs(_attrs, [x], y) {
    return y.n * y.c * x.c * x.h * x.w;
  },
};

/** `exp(x - max) / sum` over the channels of each pixel. */
import type { OpDefinition } from './definition.ts';

/** Softmax over the channels of each pixel. */
export interface SoftmaxAttrs {
  readonly op: 'softmax';
}

export const softmax: OpDefinition<SoftmaxAttrs> = {
  inferShape(_attrs, [x]) {
    return x;
  },
};

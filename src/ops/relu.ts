/** `max(x, 0)`. */
import type { OpDefinition } from './definition.ts';

/** The larger one of 0 and each element. */
export interface ReluAttrs {
  readonly op: 'relu';
}

export const relu: OpDefinition<ReluAttrs> = {
  inferShape(_attrs, [x]) {
    return x;
  },
};

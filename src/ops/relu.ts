/** `max(x, 0)`. */
import type { OpDefinition } from './definition.ts';

export interface ReluAttrs {
  readonly op: 'relu';
}

export const relu: OpDefinition<ReluAttrs> = {
  inferShape(_attrs, [x]) {
    return x;
  },
};

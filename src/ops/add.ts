/** Sum of two values of one shape: the residual connection. */
import { CompConvError } from '../errors.ts';
import { formatImageShape, sameImageShape } from '../tensor/image-shape.ts';
import type { OpDefinition } from './definition.ts';

/** The sum of two values of one shape. */
export interface AddAttrs {
  readonly op: 'add';
}

export const add: OpDefinition<AddAttrs> = {
  inferShape(_attrs, [a, b], where) {
    if (!sameImageShape(a, b)) {
      throw new CompConvError(
        'invalid-graph',
        `${where}: both inputs must have one shape, got ${formatImageShape(a)} and ${formatImageShape(b)}`,
      );
    }
    return a;
  },
};

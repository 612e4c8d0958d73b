/** The graph's one input, `[N, H, W, C]`. */
import { checkImageShape, type ImageShape } from '../tensor/image-shape.ts';
import type { OpDefinition } from './definition.ts';

/** The graph's one input. */
export interface InputAttrs {
  readonly op: 'input';
  readonly shape: ImageShape;
}

export const input: OpDefinition<InputAttrs> = {
  inferShape({ shape }, _inputs, where) {
    checkImageShape(shape, where);
    return shape;
  },
};

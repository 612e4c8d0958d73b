/** Max pooling; the padding never wins. */
import { CompConvError } from '../errors.ts';
import { checkWindow, slideWindow, type SlidingWindow } from './window.ts';
import type { OpDefinition } from './definition.ts';

/** Maximum over windows; the padding never wins. */
export interface MaxPoolAttrs extends SlidingWindow {
  readonly op: 'max-pool';
}

export const maxPool: OpDefinition<MaxPoolAttrs> = {
  inferShape(attrs, [x], where) {
    checkWindow(attrs, where);
    // As torch: otherwise a window could lie in the padding entirely and have no maximum.
    if (2 * attrs.padding > attrs.kernelSize) {
      throw new CompConvError('invalid-graph', `${where}: padding must be at most half the kernel size, got ${attrs.padding}`);
    }
    return slideWindow(x, attrs, x.c, where);
  },
};

/** Concatenation along channels. */
import { CompConvError } from '../errors.ts';
import { formatImageShape } from '../tensor/image-shape.ts';
import type { OpDefinition } from './definition.ts';

/** All inputs, one behind the other along the channels. */
export interface ChannelConcatAttrs {
  readonly op: 'channel-concat';
}

export const channelConcat: OpDefinition<ChannelConcatAttrs> = {
  inferShape(_attrs, inputs, where) {
    const [{ n, h, w }] = inputs;
    for (const x of inputs) {
      if (x.n !== n || x.h !== h || x.w !== w) {
        throw new CompConvError(
          'invalid-graph',
          `${where}: inputs must agree in all but channels, got ${inputs.map(formatImageShape).join(' and ')}`,
        );
      }
    }
    return { n, h, w, c: inputs.reduce((sum, x) => sum + x.c, 0) };
  },
};

/** ShuffleNet's channel shuffle: `y[j g + q] = x[q C/g + j]` for `g` groups (spec, section 1). */
import { CompConvError } from '../errors.ts';
import type { OpDefinition } from './definition.ts';

/** ShuffleNet's channel shuffle. */
export interface ChannelShuffleAttrs {
  readonly op: 'channel-shuffle';
  readonly groups: number;
}

export const channelShuffle: OpDefinition<ChannelShuffleAttrs> = {
  inferShape({ groups }, [x], where) {
    if (!Number.isInteger(groups) || groups < 1 || x.c % groups !== 0) {
      throw new CompConvError('invalid-graph', `${where}: shuffle groups must divide the ${x.c} channels, got ${groups}`);
    }
    return x;
  },
};

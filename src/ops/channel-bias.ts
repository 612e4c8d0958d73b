/** Adds one value per channel: the bias of a CompConv module that no BatchNorm follows (spec, section 1). */
import type { OpDefinition } from './definition.ts';

/** Adds one value per channel. */
export interface ChannelBiasAttrs {
  readonly op: 'channel-bias';
}

export const channelBias: OpDefinition<ChannelBiasAttrs> = {
  inferShape(_attrs, [x]) {
    return x;
  },
  params(_attrs, [x]) {
    return [['.bias', [x.c]]];
  },
};

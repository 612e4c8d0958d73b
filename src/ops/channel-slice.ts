/**
 * A run of channels, subsampled: `x[:, ::stride, ::stride, begin : begin + channels]`. CompConv's identity slice; the
 * stride is the module's (spec, section 1).
 */
import { CompConvError } from '../errors.ts';
import type { OpDefinition } from './definition.ts';

/** Channels `begin` to `begin + channels` of every `stride`th row and column. */
export interface ChannelSliceAttrs {
  readonly op: 'channel-slice';
  readonly begin: number;
  readonly channels: number;
  readonly stride: number;
}

export const channelSlice: OpDefinition<ChannelSliceAttrs> = {
  inferShape({ begin, channels, stride }, [x], where) {
    const integers = [begin, channels, stride].every(Number.isInteger);
    if (!integers || begin < 0 || channels < 1 || begin + channels > x.c || stride < 1) {
      throw new CompConvError(
        'invalid-graph',
        `${where}: channels [${begin}, ${begin + channels}) with stride ${stride} do not fit the input's ${x.c} channels`,
      );
    }
    return { n: x.n, h: Math.ceil(x.h / stride), w: Math.ceil(x.w / stride), c: channels };
  },
};

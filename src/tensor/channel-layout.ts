/**
 * How the channels of one pixel lie in GPU memory: NHWC, each pixel padded to whole vec4s ("pitch"). Channel counts that
 * are no multiple of 4 (5, 19, 37, 147) are the normal case in CompConv networks.
 *
 * Invariant: padding lanes hold 0 in every activation, so that kernels may read them (0 x weight 0 adds nothing).
 */

export const LANES = 4;

/**
 * In which order the channels lie: that of the graph, or the order in which a channel shuffle finds them. A value in
 * shuffled order holds at position `q C/g + j` the channel that the shuffle would move to `j g + q`, so that nothing had
 * to be moved. `g` is the number of groups; 1 is the graph's own order.
 */
export type ChannelOrder = number;

/** Position of a channel among `channels` in an order. */
export function channelPosition(channel: number, channels: number, order: ChannelOrder): number {
  return (channel % order) * (channels / order) + Math.floor(channel / order);
}

/** The channel that lies at a position: the inverse of `channelPosition`. */
export function channelAt(position: number, channels: number, order: ChannelOrder): number {
  return channelPosition(position, channels, channels / order);
}

/** Smallest multiple of `multiple` that is >= `value`. */
export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** Channels per pixel in memory, padding included. */
export function channelPitch(channels: number): number {
  return roundUp(channels, LANES);
}

/** vec4s per pixel. */
export function channelVectors(channels: number): number {
  return Math.ceil(channels / LANES);
}

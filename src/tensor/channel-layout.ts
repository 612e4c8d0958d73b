/**
 * How the channels of one pixel lie in GPU memory: NHWC, each pixel padded to whole vec4s ("pitch"). Channel counts that
 * are no multiple of 4 (5, 19, 37, 147) are the normal case in CompConv networks.
 *
 * Invariant: padding lanes hold 0 in every activation, so that kernels may read them (0 x weight 0 adds nothing).
 */

export const LANES = 4;

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

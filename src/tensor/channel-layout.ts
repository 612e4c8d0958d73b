/**
 * How the channels of one pixel lie in GPU memory: NHWC, each pixel padded to whole vec4s ("pitch"). Channel counts that
 * are no multiple of 4 (5, 19, 37, 147) are the normal case in CompConv networks.
 *
 * A layout is a permutation with padding. A value that several ops write is a sequence of segments, each padded to whole
 * vec4s, so that every op writes whole vec4s; and a shuffled value may lie as it was before the shuffle. Whoever reads it
 * takes that into account.
 *
 * Invariant: padding lanes hold 0 in every activation, so that kernels may read them (0 x weight 0 adds nothing).
 */

export const LANES = 4;

export interface ChannelLayout {
  /** Tells equal layouts apart from different ones. */
  readonly key: string;
  /** Lanes per pixel, padding included; a multiple of 4. */
  readonly pitch: number;
  /** Lane of each channel. */
  readonly lanes: Uint32Array;
}

/** A lane that holds no channel. */
export const PADDING = -1;

/** The graph's own order, one segment. */
export function plainLayout(channels: number): ChannelLayout {
  return { key: 'plain', pitch: channelPitch(channels), lanes: Uint32Array.from({ length: channels }, (_, c) => c) };
}

/**
 * Segments one after the other, each padded to whole vec4s. `segments` are the channels of each, in the order of their
 * lanes; together they are a permutation.
 */
export function segmentedLayout(segments: readonly (readonly number[])[]): ChannelLayout {
  const lanes = new Uint32Array(segments.reduce((sum, { length }) => sum + length, 0));
  let pitch = 0;
  for (const channels of segments) {
    channels.forEach((channel, i) => (lanes[channel] = pitch + i));
    pitch += channelPitch(channels.length);
  }
  return { key: `${pitch}[${runs(lanes)}]`, pitch, lanes };
}

/** Numbers, such as lanes, as runs of equal steps: a short text that tells them apart from others. */
export function runs(lanes: ArrayLike<number>): string {
  const texts: string[] = [];
  for (let begin = 0, end = 1; begin < lanes.length; begin = end++) {
    const step = lanes[end] - lanes[begin];
    while (end < lanes.length && lanes[end] - lanes[end - 1] === step) end++;
    texts.push(`${lanes[begin]}+${step}x${end - begin}`);
  }
  return texts.join(' ');
}

/** Whether two values' channels lie alike. */
export function sameLayout(a: ChannelLayout, b: ChannelLayout): boolean {
  return a.key === b.key && a.lanes.length === b.lanes.length;
}

/** Channel at each lane of a pixel, `PADDING` where there is none. */
export function channelsOfLanes({ pitch, lanes }: ChannelLayout): Int32Array {
  const channels = new Int32Array(pitch).fill(PADDING);
  lanes.forEach((lane, channel) => (channels[lane] = channel));
  return channels;
}

/** The channel that a shuffle with `groups` groups puts where `position` was: it moves `q C/g + j` to `j g + q`. */
export function shuffledChannel(position: number, channels: number, groups: number): number {
  const perGroup = channels / groups;
  return (position % perGroup) * groups + Math.floor(position / perGroup);
}

/** Smallest multiple of `multiple` that is >= `value`. */
export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple;
}

/** Channels per pixel in memory, padding included, where they lie in one segment. */
export function channelPitch(channels: number): number {
  return roundUp(channels, LANES);
}

/** vec4s per pixel of one segment. */
export function channelVectors(channels: number): number {
  return Math.ceil(channels / LANES);
}

/**
 * Depthwise convolution, one square filter per channel, of the first `channels` channels of its input. CompConv's tail
 * reads only the channels that survive the dropping of the tailing ones; the others are never computed.
 */
import { CompConvError } from '../errors.ts';
import { checkWindow, slideWindow, type SlidingWindow } from './window.ts';
import type { OpDefinition } from './definition.ts';

/** One square filter per channel, for the first `channels` channels of the input. */
export interface DepthwiseConv2dAttrs extends SlidingWindow {
  readonly op: 'depthwise-conv2d';
  readonly channels: number;
  readonly bias: boolean;
}

export const depthwiseConv2d: OpDefinition<DepthwiseConv2dAttrs> = {
  inferShape(attrs, [x], where) {
    checkWindow(attrs, where);
    if (!Number.isInteger(attrs.channels) || attrs.channels < 1 || attrs.channels > x.c) {
      throw new CompConvError('invalid-graph', `${where}: channels must be 1..${x.c}, got ${attrs.channels}`);
    }
    return slideWindow(x, attrs, attrs.channels, where);
  },
  params({ channels, kernelSize, bias }) {
    return [
      ['.weight', [channels, 1, kernelSize, kernelSize]],
      ...(bias ? ([['.bias', [channels]]] as const) : []),
    ];
  },
  macs({ kernelSize }, _inputs, y) {
    return y.n * y.h * y.w * kernelSize ** 2 * y.c;
  },
};

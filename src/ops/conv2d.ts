/** Plain two-dimensional convolution with a square kernel, as `torch.nn.Conv2d` without dilation. */
import { CompConvError } from '../errors.ts';
import { checkWindow, slideWindow, type SlidingWindow } from './window.ts';
import type { OpDefinition } from './definition.ts';

/** A convolution with a square kernel, as `torch.nn.Conv2d` without dilation. */
export interface Conv2dAttrs extends SlidingWindow {
  readonly op: 'conv2d';
  readonly outChannels: number;
  readonly groups: number;
  readonly bias: boolean;
}

export const conv2d: OpDefinition<Conv2dAttrs> = {
  inferShape(attrs, [x], where) {
    checkWindow(attrs, where);
    const { outChannels, groups } = attrs;
    if (!Number.isInteger(outChannels) || outChannels < 1) {
      throw new CompConvError('invalid-graph', `${where}: outChannels must be a positive integer, got ${outChannels}`);
    }
    if (!Number.isInteger(groups) || groups < 1 || x.c % groups !== 0 || outChannels % groups !== 0) {
      throw new CompConvError(
        'invalid-graph',
        `${where}: groups must divide the ${x.c} input and ${outChannels} output channels, got ${groups}`,
      );
    }
    return slideWindow(x, attrs, outChannels, where);
  },
  params({ outChannels, kernelSize, groups, bias }, [x]) {
    return [
      ['.weight', [outChannels, x.c / groups, kernelSize, kernelSize]],
      ...(bias ? ([['.bias', [outChannels]]] as const) : []),
    ];
  },
  macs({ kernelSize, groups }, [x], y) {
    return y.n * y.h * y.w * kernelSize ** 2 * (x.c / groups) * y.c;
  },
};

/**
 * CompConv as one op of the graph: what it takes, gives, stores and costs (spec, sections 1, 3 and 4). It has no kernel;
 * `modules/comp-conv.ts` expands it into ops that have one.
 */
import { CompConvError } from '../errors.ts';
import { checkWindow, slideWindow, type SlidingWindow } from './window.ts';
import { checkDepth, compConvChannels, type Depth } from './comp-conv-channels.ts';
import type { OpDefinition, Param } from './definition.ts';

/** What follows each convolution inside the module: nothing, or BatchNorm and ReLU. */
export type Inner = 'linear' | 'bn-relu';

/** A CompConv module in place of a convolution. */
export interface CompConvAttrs extends SlidingWindow {
  readonly op: 'comp-conv';
  readonly outChannels: number;
  readonly depth: Exclude<Depth, 0>;
  readonly shuffleGroups: number;
  readonly inner: Inner;
  /** Whether `bias` `[outChannels]` is added to the module's output. */
  readonly bias: boolean;
  /** Whether primitive, grows and tail have a bias each, before what follows them. */
  readonly innerBias: boolean;
}

const batchNormParams = (name: string, channels: number): Param[] =>
  ['weight', 'bias', 'running_mean', 'running_var'].map((part) => [`${name}.${part}`, [channels]]);

export const compConv: OpDefinition<CompConvAttrs> = {
  inferShape(attrs, [x], where) {
    checkWindow(attrs, where);
    const { outChannels, depth, shuffleGroups, inner } = attrs;
    checkDepth({ ...attrs, inChannels: x.c }, depth, where);
    if (!Number.isInteger(shuffleGroups) || shuffleGroups < 1 || outChannels % shuffleGroups !== 0) {
      throw new CompConvError(
        'invalid-graph',
        `${where}: shuffle groups must divide the ${outChannels} output channels, got ${shuffleGroups}; depth 0 leaves it plain`,
      );
    }
    if (inner !== 'linear' && inner !== 'bn-relu') {
      throw new CompConvError('invalid-graph', `${where}: inner must be 'linear' or 'bn-relu', got ${JSON.stringify(inner)}`);
    }
    return slideWindow(x, attrs, outChannels, where);
  },

  params({ outChannels, kernelSize: k, depth, inner, bias, innerBias }, [x]) {
    const { primitive, widths, tail } = compConvChannels(outChannels, depth);
    const params: Param[] = [];
    const conv = (name: string, norm: string, shape: readonly number[]) => {
      params.push([`${name}.weight`, shape]);
      if (innerBias) params.push([`${name}.bias`, [shape[0]]]);
      if (inner === 'bn-relu') params.push(...batchNormParams(norm, shape[0]));
    };
    conv('.primitive', '.primitive_bn', [primitive, x.c, k, k]);
    for (let i = depth - 2, step = 0; i >= 0; i--, step++) {
      conv(`.grow.${step}`, `.grow_bn.${step}`, [widths[i], widths[i], k, k]);
    }
    conv('.tail', '.tail_bn', [tail, 1, k, k]);
    if (bias) params.push(['.bias', [outChannels]]);
    return params;
  },

  macs({ outChannels, kernelSize, depth }, [x], y) {
    const { primitive, tail } = compConvChannels(outChannels, depth);
    let perPixel = x.c * primitive + tail;
    for (let j = 1; j < depth; j++) perPixel += (2 ** j * primitive) ** 2;
    return y.n * y.h * y.w * kernelSize ** 2 * perPixel;
  },
};

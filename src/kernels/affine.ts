/**
 * Biases and BatchNorms as one scale and shift per channel, computed at load in float64 and folded into weights or
 * handed to an epilogue.
 */
import { channelAt, type ChannelOrder } from '../tensor/channel-layout.ts';
import type { Weights } from '../weights/weights.ts';

export type AffineTerm =
  /** Adds `<param>` `[C]`. */
  | { readonly kind: 'bias'; readonly param: string }
  /** The BatchNorm whose parameters are `<node>.weight`, `.bias`, `.running_mean`, `.running_var`. */
  | { readonly kind: 'batch-norm'; readonly node: string; readonly epsilon: number }
  /** Multiplies a run of channels, as they lie in memory from `begin` on, by `<param>` `[count, 1, 1, 1]`. */
  | { readonly kind: 'scale'; readonly param: string; readonly begin: number; readonly count: number; readonly order: ChannelOrder };

export interface Affine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

/** Composes terms, in order, into `x * scale + shift`. */
export function evaluateAffine(terms: readonly AffineTerm[], channels: number, weights: Weights): Affine {
  const scale = new Float64Array(channels).fill(1);
  const shift = new Float64Array(channels);
  for (const term of terms) {
    if (term.kind === 'bias') {
      const bias = weights.get(term.param).data;
      for (let c = 0; c < channels; c++) shift[c] += bias[c];
      continue;
    }
    if (term.kind === 'scale') {
      const factors = weights.get(term.param).data;
      for (let i = 0; i < term.count; i++) {
        const c = channelAt(term.begin + i, channels, term.order);
        scale[c] *= factors[i];
        shift[c] *= factors[i];
      }
      continue;
    }
    const [gamma, beta, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map(
      (part) => weights.get(`${term.node}.${part}`).data,
    );
    for (let c = 0; c < channels; c++) {
      const factor = gamma[c] / Math.sqrt(variance[c] + term.epsilon);
      scale[c] *= factor;
      shift[c] = (shift[c] - mean[c]) * factor + beta[c];
    }
  }
  return { scale, shift };
}

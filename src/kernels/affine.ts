/**
 * Biases and BatchNorms as one scale and shift per channel, computed at load in float64 and folded into weights or
 * handed to an epilogue.
 */
import { runs } from '../tensor/channel-layout.ts';
import type { AttrsOf, Node } from '../ops/node.ts';
import type { Weights } from '../weights/weights.ts';

export type AffineTerm =
  /** Adds `<param>` `[C]`. */
  | { readonly kind: 'bias'; readonly param: string }
  /** The BatchNorm whose parameters are `<node>.weight`, `.bias`, `.running_mean`, `.running_var`. */
  | { readonly kind: 'batch-norm'; readonly node: string; readonly epsilon: number }
  /** Multiplies some channels by `<param>` `[channels.length, 1, 1, 1]`. */
  | { readonly kind: 'scale'; readonly param: string; readonly channels: readonly number[] };

/** What a BatchNorm or a bias of channels does. */
export function affineTerm({ name, attrs }: Node<AttrsOf<'batch-norm' | 'channel-bias'>>): AffineTerm {
  return attrs.op === 'batch-norm' ? { kind: 'batch-norm', node: name, epsilon: attrs.epsilon } : { kind: 'bias', param: `${name}.bias` };
}

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
      term.channels.forEach((channel, i) => {
        scale[channel] *= factors[i];
        shift[channel] *= factors[i];
      });
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

/** Tells what terms do apart. Which of them an op of some name has depends on the plan: on passes, on taps. */
export function affineKey(terms: readonly AffineTerm[]): string {
  const texts = terms.map((term) => {
    if (term.kind === 'bias') return `+ ${term.param}`;
    return term.kind === 'scale' ? `* ${term.param} ${runs(term.channels)}` : `${term.node} ${term.epsilon}`;
  });
  return `(${texts.join(', ')})`;
}

/** Names of the parameters that terms read. */
export function affineParams(terms: readonly AffineTerm[]): string[] {
  return terms.flatMap((term) =>
    term.kind === 'batch-norm'
      ? ['weight', 'bias', 'running_mean', 'running_var'].map((part) => `${term.node}.${part}`)
      : [term.param],
  );
}

/** Weights that are not one parameter as it is in the file but are worked out from several, at load. */
import type { Weights } from '../weights/weights.ts';

/** A recipe for the weights of a convolution. */
export interface Matrix {
  /** Tells equal recipes apart from different ones. */
  readonly key: string;
  /** Names of the parameters it reads. */
  readonly params: readonly string[];
  /** `[outChannels, inChannels, k, k]`, flattened. */
  evaluate(weights: Weights): Float32Array;
}

/** The parameter `<node>.weight` as it is. */
export function ownMatrix(node: string): Matrix {
  const param = `${node}.weight`;
  return { key: param, params: [param], evaluate: (weights) => weights.get(param).data };
}

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

/** Rows of a matrix, and what each is multiplied by. */
export interface ScaledRow {
  /** Where it begins. */
  readonly at: number;
  readonly factor: number;
}

/** Adds rows of `matrix`, as long as `sum`, each times its factor. Four at a time: sums are read and written a quarter as often. */
export function addRows(sum: Float64Array, matrix: Float32Array, rows: readonly ScaledRow[]): void {
  for (let k = 0; k < rows.length; k += 4) {
    const nothing = { ...rows[k], factor: 0 };
    const [{ at: i, factor: p }, { at: j, factor: q }, { at: l, factor: r }, { at: m, factor: s }] = [0, 1, 2, 3].map((n) => rows[k + n] ?? nothing);
    for (let n = 0; n < sum.length; n++) sum[n] += p * matrix[i + n] + q * matrix[j + n] + r * matrix[l + n] + s * matrix[m + n];
  }
}

/**
 * Where a network's parameters come from: names and shapes up front, values on demand, so that a file of hundreds of
 * megabytes is never decoded as a whole. `safetensors.ts` reads them from a file, `seeded.ts` makes them up.
 */
import type { Tensor } from '../tensor/tensor.ts';

export interface Weights {
  /** Shape of every tensor there is, by its `state_dict` name, in PyTorch's order. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The values of one tensor as float32. @throws invalid-argument for a name that is not in `shapes`. */
  get(name: string): Tensor;
}

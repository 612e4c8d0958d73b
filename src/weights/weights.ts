/**
 * Where a network's parameters come from. `Weights` are at hand: names and shapes up front, values on demand, so that a file of
 * hundreds of megabytes is never decoded as a whole. A `WeightSource` is read when it is needed and keeps nothing: a download, a file.
 */
import type { Tensor } from '../tensor/tensor.ts';

/** A network's parameters, under PyTorch's `state_dict` names. An object of your own will do: values are asked for one tensor at a time. */
export interface Weights {
  /** Shape of every tensor there is, by its `state_dict` name, in PyTorch's order. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** The values of one tensor as float32. @throws invalid-argument for a name that is not in `shapes`. */
  get(name: string): Tensor;
}

export interface WeightSource {
  /** As of `Weights`, in the order in which they come. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /**
   * The tensors of these names as float32, each once, in the order of the source. Called again, it begins anew: for an input of
   * another size, or another GPU.
   * @throws io, invalid-file, invalid-weights, limit-exceeded, out-of-memory, aborted
   */
  read(names: ReadonlySet<string>, signal?: AbortSignal): AsyncIterable<readonly [name: string, tensor: Tensor]>;
}

/** The tensors of these names from wherever they are, one at a time. */
export async function* readTensors(
  weights: Weights | WeightSource,
  names: ReadonlySet<string>,
  signal?: AbortSignal,
): AsyncGenerator<readonly [name: string, tensor: Tensor]> {
  if ('read' in weights) {
    yield* weights.read(names, signal);
    return;
  }
  for (const name of weights.shapes.keys()) if (names.has(name)) yield [name, weights.get(name)];
}

/** The nodes and constants of an ONNX graph as they are written down; keeps the names of values apart. */
import type { FoldedTensor } from './fold-batch-norms.ts';
import type { OnnxAttribute, OnnxNode, OnnxTensor } from './model.ts';

/** Names of the model's own input and output. */
export const INPUT = 'input';
export const OUTPUT = 'output';

export class NodeList {
  readonly nodes: OnnxNode[] = [];
  readonly tensors: OnnxTensor[] = [];
  readonly #nodeNames = new Set<string>();
  /** Of values and constants, which share one space of names. */
  readonly #valueNames = new Set([INPUT, OUTPUT]);

  /** Appends a node; gives the name of its value, which is the node's own unless something else is called so. */
  add(name: string, op: string, inputs: readonly string[], attributes: Readonly<Record<string, OnnxAttribute>> = {}): string {
    const output = free(name, this.#valueNames);
    this.nodes.push({ name: free(name, this.#nodeNames), op, inputs, output, attributes });
    return output;
  }

  reshape(name: string, x: string, shape: readonly number[]): string {
    return this.add(name, 'Reshape', [x, this.integers(`${name}.shape`, shape)]);
  }

  /** A constant of floats; gives its name. */
  constant({ name, shape, values }: FoldedTensor): string {
    return this.#tensor({ name, dims: shape, type: 'float', values });
  }

  /** A list of integers as a constant, as operators take starts, axes and shapes; gives its name. */
  integers(name: string, list: readonly number[]): string {
    return this.#tensor({ name, dims: [list.length], type: 'int64', values: () => BigInt64Array.from(list, BigInt) });
  }

  #tensor(tensor: OnnxTensor): string {
    const name = free(tensor.name, this.#valueNames);
    this.tensors.push({ ...tensor, name });
    return name;
  }
}

/** The name, made different from those taken: a layer may be called as a part or a constant of another one is. */
function free(name: string, taken: Set<string>): string {
  while (taken.has(name)) name += '_';
  taken.add(name);
  return name;
}

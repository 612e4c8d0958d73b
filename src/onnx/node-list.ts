/** The nodes and constants of an ONNX graph as they are written down; keeps the names of values apart. */
import type { FoldedTensor } from './fold-batch-norms.ts';
import type { OnnxAttribute, OnnxNode, OnnxTensor } from './model.ts';

/** Names of the model's own input and output. */
export const INPUT = 'input';
export const OUTPUT = 'output';

export class NodeList {
  readonly nodes: OnnxNode[] = [];
  readonly tensors: OnnxTensor[] = [];
  readonly #taken = new Set([INPUT, OUTPUT]);

  /** Appends a node; gives the name of its value, which is the node's own unless something else is called so. */
  add(name: string, op: string, inputs: readonly string[], attributes: Readonly<Record<string, OnnxAttribute>> = {}): string {
    const output = this.#free(name);
    this.nodes.push({ name, op, inputs, output, attributes });
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
    const name = this.#free(tensor.name);
    this.tensors.push({ ...tensor, name });
    return name;
  }

  /** Layers, their parts and constants share one space of names in ONNX, and a layer may be called anything. */
  #free(name: string): string {
    while (this.#taken.has(name)) name += '_';
    this.#taken.add(name);
    return name;
  }
}

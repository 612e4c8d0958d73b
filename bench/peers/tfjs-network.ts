/**
 * A folded network as calls of TensorFlow.js: weights uploaded once, a ReLU in the call before it where nothing else reads that
 * one's result, every value disposed of after its last use so that its buffer serves again.
 */
import type * as tfjs from '@tensorflow/tfjs-core';
import type { FoldedNetwork, FoldedNode } from '../../src/onnx/fold-batch-norms.ts';
import { makeRun, TAKES_RELU, type Run, type Tf } from './tfjs-ops.ts';

/** A node, with the ReLU that it takes along. */
interface Call {
  readonly node: FoldedNode;
  readonly relu: boolean;
  /** Name of the value that comes out: the ReLU's where there is one. */
  readonly output: string;
}

interface Step extends Call {
  readonly run: Run;
  /** Values that no later step reads. */
  readonly finished: readonly string[];
}

export class TfjsNetwork {
  readonly #tf: Tf;
  readonly #network: FoldedNetwork;
  readonly #steps: readonly Step[];
  readonly #constants: tfjs.Tensor[] = [];

  /** @throws invalid-graph */
  constructor(tf: Tf, network: FoldedNetwork) {
    this.#tf = tf;
    this.#network = network;
    const constant = <T extends tfjs.Tensor>(make: () => T): T => {
      const value = tf.keep(tf.tidy(make));
      this.#constants.push(value);
      return value;
    };
    const shapes = new Map(network.nodes.map(({ name, output }) => [name, output]));
    const calls = callsOf(network);
    this.#steps = calls.map((call, index) => {
      const { node, relu } = call;
      const run = makeRun({ tf, node, shapes: node.inputs.map((name) => shapes.get(name)!), relu, constant });
      const later = new Set(calls.slice(index + 1).flatMap(({ node }) => node.inputs));
      return { ...call, run, finished: node.inputs.filter((name) => !later.has(name)) };
    });
  }

  /** Records one inference. @param input `[N, H, W, C]`, which stays. Returns `[N, H', W', C']`, the caller's to dispose of. */
  infer(input: tfjs.Tensor4D): tfjs.Tensor4D {
    return this.#tf.tidy(() => {
      const values = new Map<string, tfjs.Tensor4D>([[this.#network.input, input]]);
      for (const { node, output, run, finished } of this.#steps) {
        values.set(output, run(...node.inputs.map((name) => values.get(name)!)));
        for (const name of finished) if (name !== this.#network.input) values.get(name)!.dispose();
      }
      return values.get(this.#network.output)!;
    });
  }

  dispose(): void {
    this.#tf.dispose(this.#constants);
  }
}

/** The nodes behind the input in order, each ReLU with the call that takes it along, if there is one. */
function callsOf({ nodes }: FoldedNetwork): Call[] {
  const readers = new Map<string, FoldedNode[]>();
  for (const node of nodes) {
    for (const name of node.inputs) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  const calls: Call[] = [];
  const taken = new Set<FoldedNode>();
  for (const node of nodes) {
    if (node.attrs.op === 'input' || taken.has(node)) continue;
    const [reader, ...others] = readers.get(node.name) ?? [];
    const relu = TAKES_RELU.includes(node.attrs.op) && reader?.attrs.op === 'relu' && others.length === 0;
    if (relu) taken.add(reader);
    calls.push({ node, relu, output: relu ? reader.name : node.name });
  }
  return calls;
}

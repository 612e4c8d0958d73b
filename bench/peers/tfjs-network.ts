/**
 * A graph as calls of TensorFlow.js: weights uploaded once, a ReLU in the call before it where nothing else reads that
 * one's result, every value disposed of after its last use so that its buffer serves again.
 */
import type * as tfjs from '@tensorflow/tfjs-core';
import { inputShapes, type Graph } from '../../src/graph/graph.ts';
import type { Node } from '../../src/ops/node.ts';
import type { Weights } from '../../src/weights/weights.ts';
import { makeRun, TAKES_RELU, type Run, type Tf } from './tfjs-ops.ts';

/** A node, with the ReLU that it takes along. */
interface Call {
  readonly node: Node;
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
  readonly #graph: Graph;
  readonly #steps: readonly Step[];
  readonly #constants: tfjs.Tensor[] = [];

  /** @param graph its CompConvs expanded, its BatchNorms folded. @throws invalid-graph */
  constructor(tf: Tf, graph: Graph, weights: Weights) {
    this.#tf = tf;
    this.#graph = graph;
    const constant = <T extends tfjs.Tensor>(make: () => T): T => {
      const value = tf.keep(tf.tidy(make));
      this.#constants.push(value);
      return value;
    };
    const calls = callsOf(graph);
    this.#steps = calls.map((call, index) => {
      const { node, relu } = call;
      const param = <T extends tfjs.Tensor>(suffix: string, arrange: (values: tfjs.Tensor) => tfjs.Tensor): T => {
        const { data, shape } = weights.get(node.name + suffix);
        return constant(() => arrange(tf.tensor(data, [...shape])) as T);
      };
      const run = makeRun(node.attrs, { tf, name: node.name, shapes: inputShapes(graph, node), relu, param, constant });
      const later = new Set(calls.slice(index + 1).flatMap(({ node }) => node.inputs));
      return { ...call, run, finished: node.inputs.filter((name) => !later.has(name)) };
    });
  }

  /** Records one inference. @param input `[N, H, W, C]`, which stays. Returns `[N, H', W', C']`, the caller's to dispose of. */
  infer(input: tfjs.Tensor4D): tfjs.Tensor4D {
    return this.#tf.tidy(() => {
      const values = new Map<string, tfjs.Tensor4D>([[this.#graph.input, input]]);
      for (const { node, output, run, finished } of this.#steps) {
        values.set(output, run(...node.inputs.map((name) => values.get(name)!)));
        for (const name of finished) if (name !== this.#graph.input) values.get(name)!.dispose();
      }
      return values.get(this.#graph.output)!;
    });
  }

  dispose(): void {
    this.#tf.dispose(this.#constants);
  }
}

/** The nodes behind the input in order, each ReLU with the call that takes it along, if there is one. */
function callsOf(graph: Graph): Call[] {
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const name of node.inputs) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  const calls: Call[] = [];
  const taken = new Set<Node>();
  for (const node of graph.nodes) {
    if (node.attrs.op === 'input' || taken.has(node)) continue;
    const [reader, ...others] = readers.get(node.name) ?? [];
    const relu = TAKES_RELU.includes(node.attrs.op) && reader?.attrs.op === 'relu' && others.length === 0;
    if (relu) taken.add(reader);
    calls.push({ node, relu, output: relu ? reader.name : node.name });
  }
  return calls;
}

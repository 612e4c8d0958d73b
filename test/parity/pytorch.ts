/**
 * Fixtures of PyTorch against the engine, in any environment: the Node test and the browser test both call this with
 * their device and the fixture's bytes.
 */
import { defineGraph, graphParams } from '../../src/graph/graph.ts';
import { createNetwork } from '../../src/models/network.ts';
import type { CompConvAttrs, Inner } from '../../src/ops/comp-conv.ts';
import type { OpAttrs } from '../../src/ops/node.ts';
import type { EngineDevice } from '../../src/runtime/device.ts';
import { elementCount } from '../../src/tensor/tensor.ts';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import { seededUniform, seededWeights } from '../../src/weights/seeded.ts';
import { runGraph, type RunGraphOptions } from '../support/run-graph.ts';

/** What the engine gave and what PyTorch had given. */
export interface Comparison {
  readonly actual: Float32Array;
  readonly expected: Float32Array;
}

/** What the README beside the fixtures calls the case. */
type ModuleCase = Omit<CompConvAttrs, 'op' | 'depth' | 'innerBias'> & { readonly depth: number; readonly innerBias?: boolean };

/** One CompConv, or a plain convolution as depth 0: a file of `fixtures/modules`. */
export async function compareModule(engine: EngineDevice, name: string, bytes: Uint8Array, run?: RunGraphOptions): Promise<Comparison> {
  const weights = parseSafetensors(bytes);
  const options = JSON.parse(weights.metadata.get('case')!) as ModuleCase;
  const op = options.depth === 0 ? { op: 'conv2d', groups: 1 } : { op: 'comp-conv' };
  const input = weights.get('input');
  const [n, c, h, w] = input.shape;
  const graph = defineGraph(name, [
    { name: 'input', attrs: { op: 'input', shape: { n, h, w, c } }, inputs: [] },
    { name: 'conv', attrs: { ...options, innerBias: options.innerBias ?? false, ...op } as OpAttrs, inputs: ['input'] },
  ]);
  const output = await runGraph(engine, graph, weights, input, run);
  return { actual: output.data, expected: weights.get('output').data };
}

/** A whole network with seeded weights and input: a file of `fixtures/networks`. */
export interface NetworkFixture {
  readonly arch: string;
  readonly c0: number | null;
  readonly inner: Inner;
  readonly shuffleGroups: number;
  readonly seed: number;
  readonly inputShape: readonly [n: number, c: number, h: number, w: number];
  readonly logits: readonly (readonly number[])[];
}

export async function compareNetwork(engine: EngineDevice, fixture: NetworkFixture, run?: RunGraphOptions): Promise<Comparison> {
  const { arch, c0, inner, shuffleGroups, seed, inputShape } = fixture;
  const [batch, , height, width] = inputShape;
  const options = c0 === null ? { arch } : { arch, c0, inner, shuffleGroups };
  const graph = createNetwork(options, { batch, height, width });
  const input = { shape: inputShape, data: seededUniform(seed, 'input', elementCount(inputShape), -1, 1) };
  const output = await runGraph(engine, graph, seededWeights(graphParams(graph), seed), input, run);
  return { actual: output.data, expected: new Float32Array(fixture.logits.flat()) };
}

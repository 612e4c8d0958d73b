/** What a file says of its network: a model whose every part fits the others, or an error; and the same on the way to a session. */
import fc from 'fast-check';
import { graphParams, type Graph } from '../../../src/graph/graph.ts';
import { loadModel } from '../../../src/load/load-model.ts';
import { compress } from '../../../src/models/compress.ts';
import { createNetwork, type NetworkOptions } from '../../../src/models/network.ts';
import { readModel, seededModel, type NetworkModel } from '../../../src/models/read-model.ts';
import { writeSafetensors } from '../../../src/weights/write-safetensors.ts';
import { damaged, damages, editedJson, jsonEdits } from '../mutations.ts';
import { mustEqual, outcomeOf } from '../outcome.ts';
import { defineTarget } from '../target.ts';

const small = (options: Partial<NetworkOptions>): NetworkOptions => ({ arch: 'resnet_small14', widths: [4, 6], blocksPerStage: 1, classes: 3, ...options });
const NETWORKS: readonly NetworkOptions[] = [
  small({}),
  small({ c0: 2 }),
  small({ depths: { conv1: 0, 'layer1.0.conv2': 1 }, inner: 'bn-relu' }),
  small({ c0: 1, shuffleGroups: 1, innerBias: true }),
];
const TENSORS = NETWORKS.map((options) => {
  const { weights } = seededModel(options, 1);
  return [...weights.shapes.keys()].map((name) => [name, weights.get(name)] as const);
});
const PREPROCESS = { size: 28, crop: 28, mean: [0.5], std: [0.25], color: 'gray' };
const LABELS = ['a', 'b', 'c'];

/** A header's field: none, or JSON that is edited, then damaged as text; most often as it should be, since one that is not ends it. */
const mostlyNone = <T>(steps: fc.Arbitrary<T[]>) => fc.oneof({ weight: 3, arbitrary: fc.constant<T[]>([]) }, steps);
const field = fc.option(fc.record({ edits: mostlyNone(jsonEdits), damages: mostlyNone(mostlyNone(damages)) }), { nil: undefined, freq: 9 });
const model = fc.record({
  network: fc.nat(NETWORKS.length - 1),
  compconv: field,
  preprocess: field,
  labels: field,
  /** Tensors that are left out, and what one of them is called instead. */
  missing: fc.oneof({ weight: 9, arbitrary: fc.constant<number[]>([]) }, fc.array(fc.nat(), { maxLength: 2 })),
  renamed: fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, fc.constantFrom('__proto__', 'constructor', 'x', 'bn1.num_batches_tracked', 'x.primitive.bias', 'x'.repeat(5000))),
  plain: fc.oneof({ weight: 3, arbitrary: fc.constant(false) }, fc.constant(true)),
});
type ModelPlan = typeof model extends fc.Arbitrary<infer T> ? T : never;

function textOf(value: unknown, { edits, damages }: NonNullable<ModelPlan['compconv']>): string {
  return Buffer.from(damaged(Buffer.from(editedJson(value, edits)), damages)).toString();
}

function build({ network, compconv, preprocess, labels, missing, renamed }: ModelPlan): { bytes: Uint8Array<ArrayBuffer>; metadata: Record<string, string> } {
  const tensors = TENSORS[network].filter((_, i) => !missing.some((at) => at % TENSORS[network].length === i));
  if (renamed !== undefined) tensors[0] = [renamed, tensors[0][1]];
  const metadata = {
    ...(compconv && { compconv: textOf(NETWORKS[network], compconv) }),
    ...(preprocess && { preprocess: textOf(PREPROCESS, preprocess) }),
    ...(labels && { labels: textOf(LABELS, labels) }),
  };
  return { bytes: writeSafetensors(tensors, metadata), metadata };
}

/** Of `readModel`; of `loadModel` on top of it what becomes of it where there is no GPU. */
const CODES = ['invalid-file', 'invalid-weights', 'invalid-argument', 'invalid-graph', 'limit-exceeded'] as const;

export const models = defineTarget('model', 150, model, async (plan) => {
  const { bytes, metadata } = build(plan);
  const options = plan.plain ? { plain: true } : {};
  const { value, error } = await outcomeOf(CODES, () => readModel(bytes, options));
  if (value) checkModel(value, metadata);
  const loaded = await outcomeOf([...CODES, 'webgpu-unavailable'], () => loadModel(new Blob([bytes]), options));
  mustEqual(loaded.error?.code, error?.code ?? 'webgpu-unavailable', 'on the way to a session');
  if (error) mustEqual(loaded.error?.message, error.message, 'on the way to a session');
});

function checkModel({ graph, weights, preprocess, labels, options }: NetworkModel, metadata: Record<string, string>): void {
  for (const [name, shape] of graphParams(graph)) mustEqual(weights.get(name).shape, shape, name);
  mustEqual(labels, metadata.labels === undefined ? undefined : JSON.parse(metadata.labels), 'labels');
  if (metadata.preprocess !== undefined) {
    const { size, crop = size, mean, std, color = 'rgb' } = JSON.parse(metadata.preprocess) as typeof PREPROCESS;
    mustEqual({ crop: size, ...preprocess }, { size, crop: crop ?? size, mean, std, color }, 'preprocess');
    const floats = [...mean, ...std].map(Math.fround);
    mustEqual(floats.every(Number.isFinite) && !std.map(Math.fround).includes(0), true, 'mean and std as float32');
  }
  const { h, w } = graph.shapes.get(graph.input)!;
  mustEqual([h, w], [preprocess.crop ?? preprocess.size, preprocess.crop ?? preprocess.size], 'input');
  mustEqual(createNetwork(options, { height: h }).nodes, graph.nodes, 'the network that the options make');
}

const GRAPHS: readonly Graph[] = [createNetwork(NETWORKS[0]), createNetwork({ arch: 'resnet18' })];
const DEPTHS = { conv1: 1, 'layer1.0.conv1': 2, 'layer2.0.conv2': 3 };
const depths = fc.record({
  graph: fc.nat(GRAPHS.length - 1),
  depths: fc.oneof({ weight: 3, arbitrary: fc.record({ edits: jsonEdits }) }, fc.record({ value: fc.anything() })),
  c0: fc.constantFrom(undefined, 2, 64),
});

export const depthMaps = defineTarget('depths', 150, depths, async ({ graph, depths, c0 }) => {
  const plain = GRAPHS[graph];
  const given: unknown = 'edits' in depths ? JSON.parse(editedJson(DEPTHS, depths.edits) || 'null') : depths.value;
  const { value } = await outcomeOf(['invalid-argument', 'invalid-graph'], () => compress(plain, { depths: given as Record<string, number>, ...(c0 && { c0 }) }));
  if (!value) return;
  for (const [name, depth] of Object.entries(given ?? {})) {
    const { attrs } = value.nodes.find((node) => node.name === name)!;
    mustEqual(attrs.op === 'comp-conv' ? attrs.depth : 0, depth === 0 ? 0 : depth, name);
  }
});

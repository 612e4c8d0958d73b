/** Taps: whatever the passes do, a kept value is in memory at the end and equals the CPU reference's, and so does the output. */
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { graphParams, shapeOf, type Graph } from '../../src/graph/graph.ts';
import { compress } from '../../src/models/compress.ts';
import { createNetwork } from '../../src/models/network.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import { schedules } from '../../src/scheduler/plan.ts';
import { passNames, schedule, DEFAULT_LIMITS } from '../../src/scheduler/schedule.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import { expectClose } from '../support/compare.ts';
import { useGpu } from '../support/gpu.ts';
import { distinctValues } from '../support/random.ts';
import { rounds } from '../support/rounds.ts';
import { runTapped, type RunGraphOptions } from '../support/run-graph.ts';
import { orderedGraphs } from './ordered-graphs.ts';

const gpu = useGpu();

const plans: [string, RunGraphOptions][] = [
  ...schedules.map((schedule): [string, RunGraphOptions] => [`schedule ${schedule}`, { schedule }]),
  ['every pass forced', { forcedPasses: passNames, hasQuads: false }],
  ['every pass but collapse-modules forced', { forcedPasses: passNames, withoutPasses: ['collapse-modules'], hasQuads: false }],
];

async function check(graph: Graph, keep: readonly string[], options: RunGraphOptions, relativeL2 = 1e-6): Promise<void> {
  const { n, h, w, c } = shapeOf(graph, graph.input);
  const input = { shape: [n, c, h, w], data: distinctValues(n * c * h * w, 3) };
  const weights = seededWeights(graphParams(graph), 11);
  const expected = runReference(graph, weights, input);
  const { output, kept } = await runTapped(gpu.engine, graph, weights, input, { ...options, keep });
  expectClose(output.data, toTensor(expected.get(graph.output)!).data, { relativeL2 }, 'output');
  expect([...kept.keys()]).toEqual([...keep]);
  const nodes = schedule(graph, DEFAULT_LIMITS, { keep }).kept;
  for (const [tap, { shape, data }] of kept) {
    const value = toTensor(expected.get(nodes.get(tap)!)!);
    expect(shape, tap).toEqual(value.shape);
    expectClose(data, value.data, { relativeL2 }, tap);
  }
}

/** Networks of every kind, with taps where they are most in the way. */
const small = { height: 16, width: 16 };
const networks: [Graph, (readonly string[])[]][] = [
  [
    createNetwork({ arch: 'resnet_small14', c0: 16 }, small),
    [['layer1.0.conv1'], ['layer1.0.bn2'], ['layer2.0.add', 'layer2.0.downsample.0'], ['input', 'fc'], ['layer1', 'layer2', 'avgpool']],
  ],
  [createNetwork({ arch: 'resnet_small14', c0: 16, inner: 'bn-relu' }, small), [['layer2.0.conv2', 'layer2.0.relu1']]],
  [createNetwork({ arch: 'resnet50', c0: 64 }, { height: 32, width: 32 }), [['layer2.0.conv1', 'layer3'], ['layer4.0.conv3', 'layer4.0.downsample'], ['layer3.2.conv2']]],
  [vgg(), [['features.3', 'features.5'], ['features', 'classifier.0']]],
];

/** A small one: convolutions with a bias, each before a pool, and two linear layers. */
function vgg(): Graph {
  const g = new GraphBuilder();
  let x = g.input({ n: 1, h: 16, w: 16, c: 3 });
  for (const [at, channels] of [[0, 32], [3, 64]]) {
    x = g.relu(`features.${at + 1}`, g.conv2d(`features.${at}`, x, channels, { kernelSize: 3, padding: 1, bias: true }));
    x = g.maxPool(`features.${at + 2}`, x, 2, 2);
  }
  g.linear('classifier.2', g.relu('classifier.1', g.linear('classifier.0', x, 40)), 10);
  return compress(g.build('VGG'), { c0: 16 });
}

describe.each(networks)('$name', (graph, taps) => {
  // ResNet50 takes seconds to compile: there, taps by one plan each.
  const isLarge = graph.nodes.length > 100;
  describe.each(plans.map(([plan, options], turn) => [plan, options, turn] as const))('%s', (_, options, turn) => {
    const some = taps.filter((_, i) => rounds(!isLarge || i === turn % taps.length, true));
    test.each(some.map((keep) => [keep.join(', '), keep] as const))('%s', (_, keep) => check(graph, keep, options, 1e-5));
  });
});

describe.each(Object.entries(orderedGraphs()))('%s', (_, { graph }) => {
  const names = graph.nodes.map(({ name }) => name);
  test.each(plans)('every node at once, %s', (_, options) => check(graph, names, options));
  // Every other one by each plan, or all by both.
  test.each(plans.slice(1, 3).map(([plan, options], turn) => [plan, options, turn] as const))('nodes by themselves, %s', async (_, options, turn) => {
    for (const [i, name] of names.entries()) if (rounds(i % 2 === turn, true)) await check(graph, [name], options);
  });
});

test('a slice that is a part of a concatenation', async () => {
  const g = new GraphBuilder();
  const x = g.input({ n: 2, h: 5, w: 7, c: 12 });
  const slice = g.node('slice', { op: 'channel-slice', begin: 3, channels: 6, stride: 1 }, x);
  const joined = g.node('joined', { op: 'channel-concat' }, slice, g.conv2d('conv', x, 10, { kernelSize: 1 }));
  g.linear('fc', g.relu('relu', g.batchNorm('bn', joined)), 5);
  const graph = g.build('slices');
  for (const [, options] of plans) for (const keep of [[], ['slice'], ['slice', 'conv'], ['joined', 'conv']]) await check(graph, keep, options);
});

test('stored as f16, where the adapter has it', async () => {
  if (gpu.hasF16) await check(networks[0][0], ['layer1.0.bn2', 'layer2'], { dtype: 'f16' }, 5e-3);
});

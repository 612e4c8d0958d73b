/** Single elements equal those of the whole reference, wherever the recursion ends, and rounding errors are what they are said to be. */
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { graphParams, shapeOf, type Graph } from '../../src/graph/graph.ts';
import { createNetwork } from '../../src/models/network.ts';
import { PointReference } from '../../src/reference/point.ts';
import { runReference, type Activation } from '../../src/reference/run.ts';
import { expandModules } from '../../src/scheduler/expand-modules.ts';
import { f16ToF32, f32ToF16 } from '../../src/weights/half.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import { F32_UNIT_ROUNDOFF, expectClose } from '../support/compare.ts';
import { distinctValues, seededRandom } from '../support/random.ts';
import { orderedGraphs } from '../scheduler/ordered-graphs.ts';

const ROUNDOFF = { sum: F32_UNIT_ROUNDOFF, stored: F32_UNIT_ROUNDOFF };

const graphs: [string, Graph][] = [
  ...Object.entries(orderedGraphs()).map(([name, { graph }]): [string, Graph] => [name, graph]),
  ['a network', createNetwork({ arch: 'resnet_small14', c0: 16 }, { height: 10, width: 9, batch: 2 })],
  ['overlapping windows', pools()],
];

function pools(): Graph {
  const g = new GraphBuilder();
  const x = g.input({ n: 2, h: 9, w: 7, c: 5 });
  g.node('soft', { op: 'softmax' }, g.avgPool('avg', g.maxPool('max', g.conv2d('conv', x, 6, { kernelSize: 3, stride: 2, padding: 2 }), 3, 1, 1), 4, 3));
  return g.build('pools');
}

function prepare(graph: Graph) {
  const { n, h, w, c } = shapeOf(graph, graph.input);
  const weights = seededWeights(graphParams(graph), 11);
  const values = runReference(graph, weights, { shape: [n, c, h, w], data: distinctValues(n * c * h * w, 3) });
  const given = (...names: string[]) => new Map(names.map((name) => [name, Float32Array.from(values.get(name)!.data)]));
  return { weights, values, given };
}

function allOf(reference: PointReference, name: string, { shape: { n, h, w, c } }: Activation): number[] {
  return Array.from({ length: n * h * w * c }, (_, i) => reference.at(name, Math.floor(i / c), i % c).value);
}

describe.each(graphs)('%s', (_, graph) => {
  const expanded = expandModules(graph);
  const { weights, values, given } = prepare(expanded);

  test('every element of every value, from the input alone', () => {
    const reference = new PointReference(expanded, weights, given(expanded.input), ROUNDOFF);
    for (const [name, value] of values) expectClose(allOf(reference, name, value), value.data, { relativeL2: 1e-12 }, name);
  });

  test('every value from those that its node reads', () => {
    for (const { name, inputs } of expanded.nodes.slice(1)) {
      const value = values.get(name)!;
      const reference = new PointReference(expanded, weights, given(...inputs), ROUNDOFF);
      expectClose(allOf(reference, name, value), value.data, { relativeL2: 1e-6 }, name);
    }
  });
});

test('what is given is taken as it is', () => {
  const graph = pools();
  const { weights, given } = prepare(graph);
  const max = given('max').get('max')!.map(() => 2);
  const reference = new PointReference(graph, weights, new Map([['max', max]]), ROUNDOFF);
  expect(reference.at('avg', 0, 0).value).toBe(2);
  expect(reference.at('soft', 3, 1).value).toBeCloseTo(1 / 6, 12);
});

test.each([
  [1, 12, 'f32'],
  [3, 40, 'f32'],
  [3, 512, 'f32'],
  [1, 12, 'f16'],
  [3, 512, 'f16'],
] as const)('the variance is that of sums in float32: kernel %i, %i channels, stored as %s', (kernelSize, channels, dtype) => {
  const g = new GraphBuilder();
  g.conv2d('conv', g.input({ n: 1, h: kernelSize, w: kernelSize, c: channels }), 200, { kernelSize });
  const graph = g.build('conv');
  const { weights } = prepare(graph);
  const random = seededRandom(5);
  const stored = (values: Float32Array) => (dtype === 'f16' ? f16ToF32(f32ToF16(values)) : values);
  const x = stored(Float32Array.from({ length: kernelSize ** 2 * channels }, () => 2 * random() - 1));
  const roundoff = { ...ROUNDOFF, stored: dtype === 'f16' ? 2 ** -11 : F32_UNIT_ROUNDOFF };
  const reference = new PointReference(graph, weights, new Map([['input', x]]), roundoff);
  const data = stored(weights.get('conv.weight').data);
  let meanSquare = 0;
  for (let o = 0; o < 200; o++) {
    let sum = 0;
    for (let tap = 0; tap < kernelSize ** 2; tap++) {
      for (let i = 0; i < channels; i++) {
        sum = Math.fround(sum + Math.fround(data[(o * channels + i) * kernelSize ** 2 + tap] * x[tap * channels + i]));
      }
    }
    const { value, variance } = reference.at('conv', 0, o);
    const [got] = stored(Float32Array.of(sum));
    meanSquare += (got - value) ** 2 / variance / 200;
  }
  // Less, since weights are not always rounded, nor twice; not by much, or the tolerance would hide errors.
  expect(Math.sqrt(meanSquare)).toBeGreaterThan(0.3);
  expect(Math.sqrt(meanSquare)).toBeLessThan(1.5);
});

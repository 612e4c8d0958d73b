/** Every kernel against the CPU reference, over awkward shapes: odd and prime sizes, channels no multiple of 4, batches. */
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { defineGraph, graphParams, type Graph } from '../../src/graph/graph.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import type { OpAttrs } from '../../src/ops/node.ts';
import { elementCount, type Tensor } from '../../src/tensor/tensor.ts';
import type { ImageShape } from '../../src/tensor/image-shape.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import { dotTolerance, expectClose } from '../support/compare.ts';
import { useGpu } from '../support/gpu.ts';
import { distinctValues } from '../support/random.ts';

const gpu = useGpu();

function image(n: number, h: number, w: number, c: number): ImageShape {
  return { n, h, w, c };
}

function inputFor({ n, h, w, c }: ImageShape, seed = 1): Tensor {
  const shape = [n, c, h, w];
  return { shape, data: distinctValues(elementCount(shape), seed) };
}

/** One op on one input, no weights but seeded ones. */
function single(attrs: OpAttrs, x: ImageShape): Graph {
  return defineGraph(attrs.op, [
    { name: 'input', attrs: { op: 'input', shape: x }, inputs: [] },
    { name: 'op', attrs, inputs: ['input'] },
  ]);
}

/** `terms`: products that one output sums, which the tolerance is derived from. */
async function check(graph: Graph, x: ImageShape, terms: number): Promise<void> {
  const weights = seededWeights(graphParams(graph), 7);
  const input = inputFor(x);
  const expected = toTensor(runReference(graph, weights, input).get(graph.output)!);
  const actual = await gpu.run(graph, weights, input);
  expect(actual.shape).toEqual(expected.shape);
  expectClose(actual.data, expected.data, { relativeL2: dotTolerance(terms) }, graph.name);
}

const text = ({ n, h, w, c }: ImageShape) => `x=[${n},${h},${w},${c}]`;

describe('conv2d', () => {
  const cases: [x: ImageShape, outChannels: number, k: number, s: number, p: number, groups?: number][] = [
    [image(1, 1, 1, 1), 1, 1, 1, 0],
    [image(1, 7, 9, 3), 5, 3, 1, 1],
    [image(1, 7, 9, 3), 5, 3, 2, 1],
    [image(2, 7, 9, 5), 19, 3, 1, 1],
    [image(1, 13, 11, 19), 37, 1, 1, 0],
    [image(1, 13, 11, 19), 37, 1, 2, 0],
    [image(3, 5, 5, 37), 8, 5, 1, 2],
    [image(1, 23, 17, 3), 64, 7, 2, 3],
    [image(1, 4, 3, 147), 147, 1, 1, 0],
    [image(1, 7, 7, 128), 16, 3, 1, 1],
    [image(1, 6, 6, 4), 4, 2, 2, 0],
    [image(1, 6, 5, 4), 12, 2, 1, 1],
    [image(1, 9, 9, 6), 7, 3, 3, 0],
    [image(1, 5, 5, 2), 3, 7, 1, 3],
    [image(1, 5, 7, 8), 16, 3, 1, 1, 2],
    [image(1, 5, 7, 24), 12, 3, 1, 1, 3],
    [image(1, 5, 7, 6), 9, 3, 1, 1, 3],
    [image(2, 5, 7, 10), 10, 3, 2, 1, 10],
    [image(1, 5, 7, 16), 16, 1, 1, 0, 4],
    // Groups of no whole vec4s, with outputs for several tiles.
    [image(1, 5, 7, 10), 70, 3, 1, 1, 2],
    [image(1, 6, 4, 58), 40, 2, 1, 1, 2],
    [image(1, 5, 7, 21), 147, 1, 1, 0, 7],
    // Windows that lie beside the image.
    [image(1, 6, 5, 8), 8, 1, 1, 2],
    [image(2, 6, 5, 5), 7, 3, 2, 5],
    [image(1, 4, 3, 8), 8, 2, 1, 6, 2],
  ];
  for (const [x, outChannels, kernelSize, stride, padding, groups = 1] of cases) {
    for (const bias of [false, true]) {
      test(`conv2d ${text(x)} out=${outChannels} k=${kernelSize} s=${stride} p=${padding} g=${groups} bias=${bias}`, async () => {
        const graph = single({ op: 'conv2d', outChannels, kernelSize, stride, padding, groups, bias }, x);
        await check(graph, x, (kernelSize ** 2 * x.c) / groups);
      });
    }
  }
});

describe('depthwise-conv2d', () => {
  const cases: [x: ImageShape, channels: number, k: number, s: number, p: number][] = [
    [image(1, 7, 9, 5), 5, 3, 1, 1],
    [image(2, 7, 9, 20), 13, 3, 1, 1],
    [image(1, 6, 5, 20), 4, 5, 1, 2],
    [image(1, 6, 5, 37), 37, 7, 2, 3],
    [image(1, 3, 3, 8), 1, 1, 1, 0],
  ];
  for (const [x, channels, kernelSize, stride, padding] of cases) {
    for (const bias of [false, true]) {
      test(`depthwise-conv2d ${text(x)} channels=${channels} k=${kernelSize} s=${stride} p=${padding} bias=${bias}`, async () => {
        await check(single({ op: 'depthwise-conv2d', channels, kernelSize, stride, padding, bias }, x), x, kernelSize ** 2);
      });
    }
  }
});

describe('channel-slice', () => {
  const cases: [x: ImageShape, begin: number, channels: number, stride: number][] = [
    [image(1, 5, 7, 12), 0, 4, 1],
    [image(2, 5, 7, 21), 5, 10, 1],
    [image(1, 5, 7, 21), 19, 2, 2],
    [image(2, 8, 6, 7), 1, 5, 2],
    [image(1, 7, 7, 3), 2, 1, 3],
  ];
  for (const [x, begin, channels, stride] of cases) {
    test(`channel-slice ${text(x)} begin=${begin} channels=${channels} s=${stride}`, async () => {
      await check(single({ op: 'channel-slice', begin, channels, stride }, x), x, 1);
    });
  }
});

describe('channel-shuffle', () => {
  for (const [c, groups] of [[8, 2], [10, 2], [12, 4], [15, 3], [7, 7], [9, 1]]) {
    const x = image(2, 3, 5, c);
    test(`channel-shuffle ${text(x)} g=${groups}`, () => check(single({ op: 'channel-shuffle', groups }, x), x, 1));
  }
});

describe('channel-concat', () => {
  for (const widths of [[5], [5, 5], [5, 10, 3], [4, 8, 16, 4], [1, 2, 3, 4, 5], [3, 1, 4, 1, 5, 9, 2, 6, 5]]) {
    for (const finish of [false, true]) {
      test(`channel-concat ${widths.join('+')}${finish ? ' bn residual relu' : ''}`, async () => {
        const total = widths.reduce((a, b) => a + b);
        const x = image(2, 3, 5, total);
        const g = new GraphBuilder();
        g.input(x);
        let begin = 0;
        const parts = widths.map((channels, i) => {
          const part = g.node(`part${i}`, { op: 'channel-slice', begin, channels, stride: 1 }, 'input');
          begin += channels;
          return part;
        });
        // Reversed, so that the result differs from the input.
        let y = g.node('concat', { op: 'channel-concat' }, ...parts.reverse());
        if (finish) y = g.relu('relu', g.add('add', g.batchNorm('bn', y), 'input'));
        await check(g.build('concat'), x, 2);
      });
    }
  }
});

describe('pooling', () => {
  for (const [x, kernelSize, stride, padding] of [
    [image(1, 7, 9, 5), 3, 2, 1],
    [image(2, 8, 6, 4), 2, 2, 0],
    [image(1, 112, 3, 9), 3, 2, 1],
    [image(1, 2, 2, 3), 2, 1, 1],
  ] as const) {
    test(`max-pool ${text(x)} k=${kernelSize} s=${stride} p=${padding}`, async () => {
      await check(single({ op: 'max-pool', kernelSize, stride, padding }, x), x, 1);
    });
  }
  for (const [x, outputHeight, outputWidth] of [
    [image(1, 7, 7, 5), 1, 1],
    [image(2, 9, 4, 6), 7, 7],
    [image(1, 1, 1, 3), 7, 7],
    [image(1, 13, 29, 8), 5, 3],
  ] as const) {
    test(`avg-pool ${text(x)} to ${outputHeight}x${outputWidth}`, async () => {
      await check(single({ op: 'avg-pool', outputHeight, outputWidth }, x), x, Math.ceil((x.h * x.w) / outputHeight));
    });
  }
});

describe('linear', () => {
  for (const [x, outFeatures] of [
    [image(1, 1, 1, 1), 1],
    [image(3, 1, 1, 37), 10],
    [image(2, 7, 7, 5), 33],
    [image(1, 3, 2, 64), 130],
  ] as const) {
    test(`linear ${text(x)} out=${outFeatures}`, () => check(single({ op: 'linear', outFeatures, bias: true }, x), x, x.h * x.w * x.c));
  }

  test('linear, weights split over small bindings, gives the same', async () => {
    const x = image(2, 3, 3, 10);
    const g = new GraphBuilder();
    g.input(x);
    g.relu('relu', g.linear('fc', 'input', 50));
    const graph = g.build('split');
    const weights = seededWeights(graphParams(graph), 3);
    const input = inputFor(x);
    const expected = toTensor(runReference(graph, weights, input).get('relu')!);
    // Three output vec4s per binding, thirteen in all.
    const rows = 9 * 12;
    const actual = await gpu.run(graph, weights, input, { maxStorageBufferBindingSize: 3 * rows * 16 });
    expectClose(actual.data, expected.data, { relativeL2: dotTolerance(90) });
  });
});

describe('softmax', () => {
  for (const x of [image(3, 1, 1, 10), image(1, 2, 3, 7), image(1, 1, 1, 1000)]) {
    // exp has an error of its own: WGSL allows 3 + 2 |x| ulp.
    test(`softmax ${text(x)}`, () => check(single({ op: 'softmax' }, x), x, 1000));
  }
});

describe('pointwise', () => {
  const x = image(2, 3, 5, 7);
  test('batch-norm', () => check(single({ op: 'batch-norm', epsilon: 1e-5 }, x), x, 2));
  test('channel-bias', () => check(single({ op: 'channel-bias' }, x), x, 2));
  test('relu', () => check(single({ op: 'relu' }, x), x, 1));
  test('add to itself', async () => {
    const g = new GraphBuilder();
    g.input(x);
    g.add('sum', 'input', 'input');
    await check(g.build('double'), x, 1);
  });
  test('relu before add is not moved behind it', async () => {
    const g = new GraphBuilder();
    g.input(x);
    g.add('sum', g.relu('relu', g.batchNorm('bn', 'input')), 'input');
    await check(g.build('relu-add'), x, 2);
  });
  test('batch-norm after relu', async () => {
    const g = new GraphBuilder();
    g.input(x);
    g.batchNorm('bn2', g.relu('relu', g.conv2d('conv', 'input', 6, { kernelSize: 1 })));
    await check(g.build('relu-bn'), x, 8);
  });
});

describe('NaN stays NaN', () => {
  const x = image(1, 4, 4, 8);
  const same = { kernelSize: 3, padding: 1 };
  const graphs: Record<string, (g: GraphBuilder, input: string) => string> = {
    relu: (g, input) => g.relu('op', input),
    'convolution, batch-norm, residual, relu': (g, input) => g.relu('op', g.add('add', g.batchNorm('bn', g.conv2d('conv', input, 8, same)), input)),
    'module, batch-norm, relu': (g, input) =>
      g.relu('op', g.batchNorm('bn', g.node('m', { op: 'comp-conv', outChannels: 16, kernelSize: 3, stride: 1, padding: 1, depth: 2, shuffleGroups: 2, inner: 'bn-relu', bias: false, innerBias: false }, input))),
    'max-pool': (g, input) => g.maxPool('op', input, 3, 1, 1),
    'linear, relu': (g, input) => g.relu('op', g.linear('fc', g.avgPool('pool', input, 1, 1), 8)),
    'concat, relu': (g, input) => g.relu('op', g.node('cat', { op: 'channel-concat' }, input, g.maxPool('pool', input, 3, 1, 1))),
    'shuffle, relu': (g, input) => g.relu('op', g.node('shuffle', { op: 'channel-shuffle', groups: 2 }, input)),
  };
  for (const [name, build] of Object.entries(graphs)) {
    test(name, async () => {
      const g = new GraphBuilder();
      build(g, g.input(x));
      const graph = g.build(name);
      const weights = seededWeights(graphParams(graph), 7);
      for (const schedule of ['optimized', 'reference'] as const) {
        const input = inputFor(x);
        input.data[37] = NaN;
        const expected = toTensor(runReference(graph, weights, input).get(graph.output)!);
        const actual = await gpu.run(graph, weights, input, { schedule });
        const places = (data: Float32Array) => [...data].flatMap((value, i) => (Number.isNaN(value) ? i : []));
        expect(places(expected.data).length).toBeGreaterThan(0);
        expect(places(actual.data)).toEqual(places(expected.data));
      }
    });
  }

  test('minus infinity is no largest negative number', async () => {
    const graph = single({ op: 'channel-bias' }, x);
    const input = inputFor(x);
    input.data[5] = -Infinity;
    const { data } = await gpu.run(graph, seededWeights(graphParams(graph), 7), input);
    expect(data[5]).toBe(-Infinity);
  });
});

test('dispatches of more than 65,535 workgroups fold into two dimensions', async () => {
  const x = image(1, 64, 64, 5);
  const graph = single({ op: 'batch-norm', epsilon: 1e-5 }, x);
  const weights = seededWeights(graphParams(graph), 7);
  const input = inputFor(x);
  const expected = toTensor(runReference(graph, weights, input).get('op')!);
  // 8192 vec4s are 128 workgroups; with at most 13 per dimension they fold into 10 rows of 13.
  const actual = await gpu.run(graph, weights, input, { maxComputeWorkgroupsPerDimension: 13 });
  expectClose(actual.data, expected.data, { relativeL2: dotTolerance(2) });
});

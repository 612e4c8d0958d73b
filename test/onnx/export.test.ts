/**
 * Exported networks, run by onnxruntime-web, give what the CPU reference gives: every architecture, plain and with every kind
 * of CompConv; small graphs of every op; and what the file says of itself.
 */
import { describe, expect, it, vi } from 'vitest';
import { CompConvError } from '../../src/errors.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { graphParams, mapNodes, shapeOf, type Graph } from '../../src/graph/graph.ts';
import { architectures, createNetwork, type InputSize, type NetworkOptions } from '../../src/models/network.ts';
import { exportOnnx } from '../../src/onnx/export.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import { elementCount, type Tensor } from '../../src/tensor/tensor.ts';
import { seededUniform, seededWeights } from '../../src/weights/seeded.ts';
import type { Weights } from '../../src/weights/weights.ts';
import { orderedGraphs } from '../scheduler/ordered-graphs.ts';
import { expectClose } from '../support/compare.ts';
import { readOnnx } from '../support/onnx-reader.ts';
import { runOnnx } from '../support/onnx-runtime.ts';

// A second or two each on an idle machine.
vi.setConfig({ testTimeout: 120_000 });

/** Of whole networks in float32, as other tests of this engine have it. */
const NETWORK = { relativeL2: 1e-5 };

const seeded = (graph: Graph): Weights => seededWeights(graphParams(graph), 7);

async function expectAgreement(graph: Graph, weights: Weights = seeded(graph)): Promise<void> {
  const { n, c, h, w } = shapeOf(graph, graph.input);
  const shape = [n, c, h, w];
  const input: Tensor = { shape, data: seededUniform(7, 'input', elementCount(shape), -1, 1) };
  const expected = toTensor(runReference(graph, weights, input).get(graph.output)!);
  const actual = await runOnnx(exportOnnx(graph, weights), input);
  expect(actual.shape).toEqual(expected.shape);
  expectClose(actual.data, expected.data, NETWORK, graph.name);
}

/** A network with few classes; VGG's hidden layers of 4096, which are most of its weights and all alike, are narrow. */
function network(options: NetworkOptions, size: InputSize = { height: 32 }): Graph {
  return mapNodes(createNetwork({ classes: 7, ...options }, size), (node) =>
    node.attrs.op === 'linear' && node.attrs.outFeatures === 4096 ? [{ ...node, attrs: { ...node.attrs, outFeatures: 48 } }] : [node],
  );
}

describe('every architecture', () => {
  it.each(architectures)('%s', async (arch) => {
    await expectAgreement(network({ arch }));
    await expectAgreement(network({ arch, c0: 64 }));
    await expectAgreement(network({ arch, c0: 64, inner: 'bn-relu', shuffleGroups: 4 }));
  });
});

describe('every kind of CompConv', () => {
  it.each<[NetworkOptions, InputSize]>([
    [{ arch: 'resnet18', c0: 32, shuffleGroups: 1 }, { height: 33, width: 47 }],
    [{ arch: 'resnet18', c0: 64, innerBias: true }, { batch: 2, height: 32 }],
    [{ arch: 'resnet50', c0: 64, inner: 'bn-relu', innerBias: true, shuffleGroups: 1 }, { height: 40 }],
    [{ arch: 'resnet50', depths: { conv1: 1, 'layer2.0.conv2': 3, 'layer3.0.downsample.0': 2, 'layer4.2.conv3': 2 } }, { height: 64 }],
    // Pooled from 2x3 pixels to 7x7: windows that overlap.
    [{ arch: 'vgg11', c0: 64, innerBias: true, shuffleGroups: 4 }, { height: 64, width: 96 }],
    [{ arch: 'vgg11_bn', depths: { 'features.0': 1, 'features.8': 2, 'features.25': 3 } }, { height: 32 }],
    [{ arch: 'resnet_small14', c0: 16, widths: [10, 20, 40] }, { batch: 3 }],
  ])('%o at %o', async (options, size) => expectAgreement(network(options, size)));
});

describe('every op', () => {
  const graphOf = (build: (g: GraphBuilder, x: string) => void, shape = { n: 2, h: 6, w: 9, c: 8 }) => {
    const g = new GraphBuilder();
    build(g, g.input(shape));
    return g.build('ops');
  };

  it.each(Object.entries(orderedGraphs()))('%s', async (_title, { graph }) => expectAgreement(graph));

  it.each<[string, (g: GraphBuilder, x: string) => void]>([
    ['nothing at all', () => {}],
    ['pooling to one pixel', (g, x) => void g.avgPool('pool', x, 1, 1)],
    ['pooling to the same size', (g, x) => void g.avgPool('pool', x, 6, 9)],
    ['pooling by windows that divide', (g, x) => void g.avgPool('pool', x, 2, 3)],
    ['pooling by windows that do not', (g, x) => void g.avgPool('pool', x, 5, 4)],
    ['pooling to more pixels', (g, x) => void g.avgPool('pool', x, 7, 11)],
    ['pooling of rows only', (g, x) => void g.avgPool('pool', x, 1, 9)],
    ['maxima with padding and a rest', (g, x) => void g.maxPool('pool', x, 5, 3, 2)],
    ['a bias, and a BatchNorm, of nothing foldable', (g, x) => void g.batchNorm('bn', g.relu('relu', g.node('bias', { op: 'channel-bias' }, x)))],
    ['a slice with a stride', (g, x) => void g.node('slice', { op: 'channel-slice', begin: 3, channels: 4, stride: 2 }, x)],
    ['a slice of everything', (g, x) => void g.node('slice', { op: 'channel-slice', begin: 0, channels: 8, stride: 1 }, x)],
    ['a shuffle of one group', (g, x) => void g.node('shuffle', { op: 'channel-shuffle', groups: 1 }, x)],
    ['softmax of pixels', (g, x) => void g.node('softmax', { op: 'softmax' }, x)],
    ['softmax of a vector', (g, x) => void g.node('softmax', { op: 'softmax' }, g.relu('relu', g.linear('fc', x, 5)))],
    ['a linear layer without a bias', (g, x) => void g.node('fc', { op: 'linear', outFeatures: 4, bias: false }, x)],
    ['a vector as an image again', (g, x) => void g.conv2d('conv', g.batchNorm('bn', g.relu('relu', g.linear('fc', x, 6))), 5, { kernelSize: 1, bias: true })],
    ['the sum of a vector and an image of one pixel', (g, x) => void g.add('sum', g.linear('fc', x, 8), g.avgPool('pool', x, 1, 1))],
    ['layers that are called what something else is called', (g, x) => {
      const output = g.relu('output', g.conv2d('fc.weight', x, 6, { kernelSize: 3, stride: 2, padding: 1 }));
      g.linear('fc', g.conv2d('fc.flat', output, 4, { kernelSize: 1 }), 3);
    }],
  ])('%s', async (_title, build) => expectAgreement(graphOf(build)));
});

describe('the file', () => {
  const file = (options: NetworkOptions, size?: InputSize) => {
    const graph = network(options, size);
    return readOnnx(exportOnnx(graph, seeded(graph), { metadata: { labels: '["a","ü"]' } }));
  };
  const dims = ({ type }: ReturnType<typeof file>['graph']['input'][number]) => type.tensor_type.shape.dim.map(({ dim_value }) => dim_value);

  it('says what it is', () => {
    const model = file({ arch: 'resnet18', c0: 64 }, { batch: 2, height: 32, width: 64 });
    expect(model).toMatchObject({ ir_version: 8, producer_name: 'compconv-webgpu', opset_import: [{ version: 17 }] });
    expect(model.metadata_props).toEqual([{ key: 'labels', value: '["a","ü"]' }]);
    const { name, input, output } = model.graph;
    expect(name).toBe('CompConv64-ResNet18');
    expect([...input, ...output].map((value) => [value.name, value.type.tensor_type.elem_type, dims(value)])).toEqual([
      ['input', 1, [2, 3, 32, 64]],
      ['output', 1, [2, 7]],
    ]);
  });

  it.each<NetworkOptions>([{ arch: 'resnet50', c0: 64, inner: 'bn-relu' }, { arch: 'vgg11_bn' }])(
    'is well formed: values computed once, before they are read, tensors of their sizes, %o',
    (options) => {
      const { graph } = file(options);
      const known = new Set(['input']);
      for (const { name, dims: sizes, data_type: type, raw_data: length } of graph.initializer) {
        expect(known.has(name)).toBe(false);
        known.add(name);
        expect([1, 7]).toContain(type);
        expect(length, name).toBe(elementCount(sizes) * (type === 1 ? 4 : 8));
      }
      for (const { name, input, output } of graph.node) {
        for (const value of input) expect(known.has(value), `${name} reads ${value}`).toBe(true);
        expect(known.has(output[0])).toBe(false);
        known.add(output[0]);
      }
      expect(graph.node.at(-1)!.output).toEqual(['output']);
    },
  );

  it('has the names of the layers, and no BatchNorm that could be folded', () => {
    const operators = (options: NetworkOptions) => file(options, { height: 64 }).graph.node.map(({ name, op_type: op }) => `${name} ${op}`);
    const plain = operators({ arch: 'resnet18' });
    expect(plain.filter((node) => node.endsWith('BatchNormalization'))).toEqual([]);
    expect(plain.slice(0, 3)).toEqual(['conv1 Conv', 'relu Relu', 'maxpool MaxPool']);
    expect(plain.slice(-3)).toEqual(['avgpool GlobalAveragePool', 'fc.flat Flatten', 'fc Gemm']);
    // Behind a CompConv there is one, under its own name, and none inside.
    const graph = network({ arch: 'resnet18', c0: 64, inner: 'bn-relu' });
    const modules = graph.nodes.filter(({ attrs }) => attrs.op === 'comp-conv').map(({ name }) => name);
    const behind = graph.nodes.filter(({ attrs, inputs }) => attrs.op === 'batch-norm' && modules.includes(inputs[0])).map(({ name }) => name);
    const compact = operators({ arch: 'resnet18', c0: 64, inner: 'bn-relu' });
    expect(modules.length).toBeGreaterThan(10);
    expect(compact.filter((node) => node.endsWith('BatchNormalization'))).toEqual(behind.map((name) => `${name} BatchNormalization`));
    for (const name of modules) expect(compact).toContain(`${name} Reshape`);
    expect(compact.slice(0, 3)).toEqual(['conv1.primitive Conv', 'conv1.primitive_relu Relu', 'conv1.tail Conv']);
  });
});

it('VGG16 as it is: 553 MB', async () => {
  const graph = createNetwork({ arch: 'vgg16' }, { height: 32 });
  const shapes = graphParams(graph);
  // Made-up values take seconds for this many; here each tensor is the beginning of one list that repeats itself.
  const values = new Float32Array(Math.max(...[...shapes.values()].map(elementCount)));
  const period = 2 ** 20 - 3;
  values.set(seededUniform(1, 'values', period, -0.03, 0.03));
  for (let filled = period; filled < values.length; filled *= 2) values.copyWithin(filled, 0, filled);
  const get = (name: string) => ({ shape: shapes.get(name)!, data: values.subarray(0, elementCount(shapes.get(name)!)) });
  await expectAgreement(graph, { shapes, get });
});

describe('what cannot be exported', () => {
  const graph = network({ arch: 'resnet18', c0: 64 });

  it('weights of another network: every tensor is named', () => {
    const other = seeded(network({ arch: 'resnet18' }));
    expect(() => exportOnnx(graph, other)).toThrow(/CompConv64-ResNet18: the weights do not fit: [^]*conv1\.primitive\.weight/);
  });

  it('a tensor with fewer values than its shape says', () => {
    const weights = seeded(graph);
    const short: Weights = { shapes: weights.shapes, get: (name) => ({ ...weights.get(name), data: weights.get(name).data.subarray(1) }) };
    expect(() => exportOnnx(graph, short)).toThrow(/shape \[.*\] needs \d+ values, the weights give \d+/);
  });

  it('more than 2 GiB, told before any tensor is made', () => {
    const g = new GraphBuilder();
    g.linear('fc', g.input({ n: 1, h: 1, w: 1, c: 2 ** 15 }), 2 ** 14);
    const huge = g.build('huge');
    const weights: Weights = {
      shapes: graphParams(huge),
      get: () => expect.unreachable(),
    };
    try {
      exportOnnx(huge, weights);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(CompConvError);
      expect((error as CompConvError).code).toBe('limit-exceeded');
      expect((error as CompConvError).message).toMatch(/huge: takes 21475\d+ bytes; .* less than 2 GiB/);
    }
  });
});

/** The networks: what they cost, how their parameters are called, what becomes of options and sizes that do not fit. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { CompConvError, type ErrorCode } from '../../src/errors.ts';
import { networkCost } from '../../src/graph/cost.ts';
import { defineGraph, graphParams, shapeOf, withInputShape } from '../../src/graph/graph.ts';
import { architectures, createNetwork, nativeInputSize, parseNetworkOptions } from '../../src/models/network.ts';
import type { Node } from '../../src/ops/node.ts';

/** The error that `act` throws; fails if it throws none, or one that is not the engine's. */
function errorOf(act: () => unknown): CompConvError {
  try {
    act();
  } catch (error) {
    if (error instanceof CompConvError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

const cost = (arch: string, c0?: number) => {
  const { macs, params } = networkCost(createNetwork({ arch, ...(c0 === undefined ? {} : { c0 }) })).total;
  return { macs, params };
};

describe('cost', () => {
  it.each<[string, number | undefined, number, number]>([
    ['resnet18', undefined, 1_814_073_344, 11_689_512],
    ['resnet18', 128, 738_431_910, 3_304_822],
    ['resnet50', undefined, 4_089_184_256, 25_557_032],
    ['resnet50', 64, 1_238_434_130, 7_963_022],
    ['resnet50', 128, 1_447_670_402, 8_613_872],
    ['resnet50', 256, 1_726_348_298, 10_479_962],
    ['resnet101', undefined, 7_801_405_440, 44_549_160],
    ['resnet101', 128, 2_627_911_450, 14_687_734],
    ['vgg16_bn', undefined, 15_470_264_320, 138_365_992],
    ['vgg16_bn', 128, 5_298_994_456, 126_821_194],
  ])('the table of the spec: %s c0=%s', (arch, c0, macs, params) => {
    expect(cost(arch, c0)).toEqual({ macs, params });
  });

  it('flops are twice the MACs, and the total is the sum of the layers', () => {
    const { layers, total } = networkCost(createNetwork({ arch: 'resnet18', c0: 128 }, { batch: 2 }));
    expect(total.flops).toBe(2 * total.macs);
    expect(total.weightBytes).toBe(4 * total.params);
    expect(total.macs).toBe(2 * 738_431_910);
    expect(layers.reduce((sum, layer) => sum + layer.params, 0)).toBe(3_304_822);
    const output = { n: 2, h: 7, w: 7, c: 512 };
    expect(layers.find(({ name }) => name === 'layer4.0.conv2')).toMatchObject({ op: 'comp-conv', depth: 3, output });
  });
});

describe('cost as PyTorch counts it', () => {
  const json = readFileSync(new URL('../fixtures/costs.json', import.meta.url), 'utf8');
  const { networks, depths } = JSON.parse(json) as {
    /** By architecture, then `plain` or C_0. */
    networks: Record<string, Record<string, { macs: number; params: number }>>;
    /** `resnet18-compconv128`: every convolution and the depth that the adaptive rule gives it. */
    depths: Record<string, [name: string, depth: number][]>;
  };

  it.each(Object.keys(networks))('%s', (arch) => {
    for (const [compression, expected] of Object.entries(networks[arch])) {
      expect(cost(arch, compression === 'plain' ? undefined : Number(compression)), compression).toEqual(expected);
    }
  });

  it('covers every architecture of torchvision that there is', () => {
    expect(Object.keys(networks).sort()).toEqual(architectures.filter((arch) => arch !== 'resnet_small14').sort());
  });

  it.each(Object.keys(depths))('adaptive depths of %s', (name) => {
    const [, arch, c0] = /^(\w+)-compconv(\d+)$/.exec(name)!;
    const { layers } = networkCost(createNetwork({ arch, c0: Number(c0) }));
    const convs = layers.filter(({ op }) => op === 'conv2d' || op === 'comp-conv');
    expect(convs.map((layer) => [layer.name, layer.depth ?? 0]).sort()).toEqual([...depths[name]].sort());
  });
});

describe('state_dict', () => {
  it('resnet18', () => {
    const params = graphParams(createNetwork({ arch: 'resnet18' }));
    // 122 entries in torch, of which 20 are num_batches_tracked.
    expect(params.size).toBe(102);
    expect(Object.fromEntries(params)).toMatchObject({
      'conv1.weight': [64, 3, 7, 7],
      'bn1.weight': [64], 'bn1.bias': [64], 'bn1.running_mean': [64], 'bn1.running_var': [64],
      'layer1.0.conv1.weight': [64, 64, 3, 3],
      'layer1.1.bn2.running_var': [64],
      'layer2.0.conv1.weight': [128, 64, 3, 3],
      'layer2.0.downsample.0.weight': [128, 64, 1, 1],
      'layer2.0.downsample.1.bias': [128],
      'layer4.1.conv2.weight': [512, 512, 3, 3],
      'fc.weight': [1000, 512], 'fc.bias': [1000],
    });
    expect([...params.keys()].filter((name) => /conv\d\.bias|layer1\.\d\.downsample/.test(name))).toEqual([]);
  });

  it('vgg11_bn', () => {
    const params = graphParams(createNetwork({ arch: 'vgg11_bn' }));
    // 62 entries in torch, of which 8 are num_batches_tracked.
    expect(params.size).toBe(54);
    expect(Object.fromEntries(params)).toMatchObject({
      'features.0.weight': [64, 3, 3, 3], 'features.0.bias': [64],
      'features.1.running_mean': [64],
      'features.4.weight': [128, 64, 3, 3],
      'features.8.weight': [256, 128, 3, 3], 'features.11.weight': [256, 256, 3, 3],
      'features.25.weight': [512, 512, 3, 3], 'features.26.running_var': [512],
      'classifier.0.weight': [4096, 25088], 'classifier.3.weight': [4096, 4096],
      'classifier.6.weight': [1000, 4096], 'classifier.6.bias': [1000],
    });
  });

  it('resnet50: the stride is on the 3x3', () => {
    const graph = createNetwork({ arch: 'resnet50' });
    expect(shapeOf(graph, 'layer2.0.conv1')).toEqual({ n: 1, h: 56, w: 56, c: 128 });
    expect(shapeOf(graph, 'layer2.0.conv2')).toEqual({ n: 1, h: 28, w: 28, c: 128 });
    expect(graphParams(graph).get('layer1.0.downsample.0.weight')).toEqual([256, 64, 1, 1]);
  });

  it('resnet18 c0=128: what takes the place of layer4.0.conv2', () => {
    const params = graphParams(createNetwork({ arch: 'resnet18', c0: 128 }));
    expect([...params].filter(([name]) => name.startsWith('layer4.0.conv2'))).toEqual([
      ['layer4.0.conv2.primitive.weight', [37, 512, 3, 3]],
      ['layer4.0.conv2.grow.0.weight', [74, 74, 3, 3]],
      ['layer4.0.conv2.grow.1.weight', [148, 148, 3, 3]],
      ['layer4.0.conv2.tail.weight', [142, 1, 3, 3]],
    ]);
  });
});

describe('input sizes', () => {
  it.each(architectures)('%s gives one row of logits per image at its native size and at another', (arch) => {
    const classes = arch === 'resnet_small14' ? 10 : 1000;
    const graph = createNetwork({ arch });
    expect(shapeOf(graph, graph.input)).toMatchObject({ n: 1, h: nativeInputSize(arch), w: nativeInputSize(arch) });
    expect(shapeOf(graph, graph.output)).toEqual({ n: 1, h: 1, w: 1, c: classes });
    const other = createNetwork({ arch, classes: 7, c0: 64 }, { batch: 3, height: 65, width: 97 });
    expect(shapeOf(other, other.output)).toEqual({ n: 3, h: 1, w: 1, c: 7 });
  });

  it('withInputShape infers all shapes anew and keeps the parameters', () => {
    const graph = createNetwork({ arch: 'vgg11', c0: 64 });
    const larger = withInputShape(graph, { n: 2, h: 97, w: 65, c: 3 });
    expect(shapeOf(larger, 'features.0')).toEqual({ n: 2, h: 97, w: 65, c: 64 });
    expect(shapeOf(larger, 'features.2')).toEqual({ n: 2, h: 48, w: 32, c: 64 });
    expect([...graphParams(larger)]).toEqual([...graphParams(graph)]);
    expect(shapeOf(graph, 'features.0')).toEqual({ n: 1, h: 224, w: 224, c: 64 });
  });

  it('an input that a pool cannot halve any more is refused at that layer', () => {
    const expected = {
      code: 'invalid-graph' satisfies ErrorCode,
      message:
        'features.20: a 2x2 window with stride 2 and padding 0 does not fit into its input [1, 1, 1, 512]; ' +
        'use a larger input',
    };
    const graph = createNetwork({ arch: 'vgg11' });
    expect(errorOf(() => createNetwork({ arch: 'vgg11' }, { height: 16 }))).toMatchObject(expected);
    expect(errorOf(() => withInputShape(graph, { n: 1, h: 16, w: 16, c: 3 }))).toMatchObject(expected);
    const narrow = errorOf(() => withInputShape(graph, { n: 1, h: 32, w: 31, c: 3 }));
    expect(narrow.message).toMatch(/^features.20: .*\[1, 2, 1, 512\]/);
  });

  it.each([0, -1, 1.5, NaN])('an input of height %d is refused', (height) => {
    const { message } = errorOf(() => createNetwork({ arch: 'resnet18' }, { height }));
    expect(message).toBe(`input: h must be a positive integer, got ${height}`);
  });
});

describe('parseNetworkOptions', () => {
  it('picks the options it knows and leaves the rest', () => {
    const options = { arch: 'resnet50', c0: 128, shuffleGroups: 2, inner: 'linear', depths: { conv1: 1 } };
    expect(parseNetworkOptions(JSON.stringify({ ...options, classes: null, author: 'x' }))).toEqual(options);
  });

  it.each([
    ['', /not valid JSON/],
    ['{"arch":"resnet18"', /not valid JSON/],
    ['null', /must be a JSON object, got null/],
    ['[]', /must be a JSON object, got \[\]/],
    ['"resnet18"', /must be a JSON object/],
    ['{}', /unknown architecture undefined; known are resnet18, /],
    ['{"arch":"__proto__"}', /unknown architecture "__proto__"/],
    ['{"arch":"constructor"}', /unknown architecture "constructor"/],
    ['{"arch":["resnet18"]}', /unknown architecture \["resnet18"\]/],
    ['{"__proto__":{"arch":"resnet18"}}', /unknown architecture undefined/],
    ['{"arch":"resnet18","c0":"128"}', /c0 must be a positive number, got "128"/],
    ['{"arch":"resnet18","c0":-1}', /c0 must be a positive number, got -1/],
    ['{"arch":"resnet18","c0":0}', /c0 must be a positive number, got 0/],
    ['{"arch":"resnet18","inner":"relu"}', /inner must be "linear" or "bn-relu", got "relu"/],
    ['{"arch":"resnet18","shuffleGroups":0}', /shuffleGroups must be an integer from 1 to 65536, got 0/],
    ['{"arch":"resnet18","shuffleGroups":1.5}', /shuffleGroups must be an integer/],
    ['{"arch":"resnet18","classes":1e12}', /classes must be an integer from 1 to 65536, got 1000000000000/],
    ['{"arch":"resnet18","inChannels":"3"}', /inChannels must be an integer/],
    ['{"arch":"resnet18","depths":[1,2]}', /depths must map layer names to depths 0..3, got \[1, 2\]/],
    ['{"arch":"resnet18","depths":"3"}', /depths must map layer names/],
    ['{"arch":"resnet18","widths":[1,2]}', /widths and blocksPerStage belong to resnet_small14; resnet18 has its own/],
    ['{"arch":"resnet_small14","widths":[]}', /widths must be 1 to 16 positive integers/],
    ['{"arch":"resnet_small14","widths":[1e9]}', /widths must be 1 to 16 positive integers/],
    ['{"arch":"resnet_small14","widths":{"length":1,"0":8}}', /widths must be 1 to 16 positive integers/],
    [`{"arch":"resnet_small14","widths":[${Array(17).fill(8)}]}`, /widths must be 1 to 16 positive integers/],
    ['{"arch":"resnet_small14","blocksPerStage":5000}', /blocksPerStage must be at most 333 where there are 3 stages, got 5000/],
    [`{"arch":"resnet_small14","widths":[${Array(16).fill(1).join()}],"blocksPerStage":63}`, /blocksPerStage must be at most 62 where there are 16 stages/],
  ])('refuses %s', (json, message) => {
    const error = errorOf(() => parseNetworkOptions(json));
    expect(error.code).toBe('invalid-file');
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^metadata "compconv"/);
  });

  it('what it accepts can still be refused by the network, not crash it', () => {
    for (const depths of ['{"__proto__":3}', '{"conv1":"3"}', '{"conv1":{}}', '{"nowhere":1}']) {
      const options = parseNetworkOptions(`{"arch":"resnet18","depths":${depths}}`);
      expect(['invalid-argument', 'invalid-graph']).toContain(errorOf(() => createNetwork(options)).code);
    }
  });
});

describe('createNetwork', () => {
  it('builds the plain network without c0 and depths', () => {
    const { nodes } = createNetwork({ arch: 'resnet18', shuffleGroups: 4 });
    expect(nodes.some(({ attrs }) => attrs.op === 'comp-conv')).toBe(false);
    expect(createNetwork({ arch: 'resnet18' }).name).toBe('ResNet18');
    expect(createNetwork({ arch: 'vgg16_bn', c0: 128 }).name).toBe('CompConv128-VGG16-BN');
  });

  it('refuses an unknown architecture and lists the known ones', () => {
    const error = errorOf(() => createNetwork({ arch: 'alexnet' }));
    expect(error).toMatchObject({ code: 'invalid-argument' });
    expect(error.message).toMatch(/unknown architecture "alexnet"; known are resnet18, .*vgg19_bn, resnet_small14/);
  });

  it('resnet_small14: 28 x 28 gray, 12 convolutions of 3x3 in its blocks, no max pool', () => {
    const graph = createNetwork({ arch: 'resnet_small14' });
    expect(shapeOf(graph, 'input')).toEqual({ n: 1, h: 28, w: 28, c: 1 });
    expect(shapeOf(graph, 'layer3.1.relu2')).toEqual({ n: 1, h: 7, w: 7, c: 64 });
    const convs = graph.nodes.filter(({ attrs }) => attrs.op === 'conv2d' && attrs.kernelSize === 3);
    expect(convs.length).toBe(13);
    expect(graph.nodes.some(({ attrs }) => attrs.op === 'max-pool')).toBe(false);
  });
});

describe('defineGraph', () => {
  const input: Node = { name: 'input', attrs: { op: 'input', shape: { n: 1, h: 4, w: 4, c: 2 } }, inputs: [] };
  const relu = (name: string, ...inputs: string[]): Node => ({ name, attrs: { op: 'relu' }, inputs });

  it.each<[string, Node[], RegExp]>([
    ['a name twice', [input, relu('a', 'input'), relu('a', 'input')], /^net: two nodes are called "a"$/],
    ['an input that is nowhere', [input, relu('a', 'b')], /^a: its input "b" is not defined before it$/],
    ['an input that comes later', [input, relu('a', 'b'), relu('b', 'input')], /^a: its input "b" is not defined/],
    ['a node that reads itself', [input, relu('a', 'a')], /^a: its input "a" is not defined before it$/],
    ['no input', [], /^net: needs exactly one input, got 0$/],
    ['two inputs', [input, { ...input, name: 'other' }], /^net: needs exactly one input, got 2$/],
    [
      'too few operands',
      [input, { name: 'sum', attrs: { op: 'add' }, inputs: ['input'] }],
      /^sum: add takes 2 input\(s\), got 1$/,
    ],
    ['too many operands', [input, relu('a', 'input', 'input')], /^a: relu takes 1 input\(s\), got 2$/],
    [
      'a sum of two shapes',
      [
        input,
        { name: 'half', attrs: { op: 'max-pool', kernelSize: 2, stride: 2, padding: 0 }, inputs: ['input'] },
        { name: 'sum', attrs: { op: 'add' }, inputs: ['input', 'half'] },
      ],
      /^sum: both inputs must have one shape, got \[1, 4, 4, 2\] and \[1, 2, 2, 2\]$/,
    ],
  ])('refuses %s', (_what, nodes, message) => {
    const error = errorOf(() => defineGraph('net', nodes));
    expect(error.code).toBe('invalid-graph');
    expect(error.message).toMatch(message);
  });

  it('cannot be changed afterwards, not by the list it was made of either', () => {
    const nodes = [input, relu('a', 'input')];
    const graph = defineGraph('net', nodes);
    nodes.pop();
    expect(graph.nodes.length).toBe(2);
    expect(graph.output).toBe('a');
    expect(() => (graph.nodes as Node[]).push(input)).toThrow(TypeError);
    expect(() => Object.assign(graph, { name: 'other' })).toThrow(TypeError);
  });

  it('has no value that is not there', () => {
    const graph = defineGraph('net', [input]);
    expect(errorOf(() => shapeOf(graph, 'nowhere')).message).toBe('net has no value "nowhere"');
    expect(errorOf(() => shapeOf(graph, 'toString')).message).toBe('net has no value "toString"');
  });
});

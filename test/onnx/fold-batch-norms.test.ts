/** A folded network computes what the graph does, in as few nodes as its readers allow. */
import { describe, expect, it } from 'vitest';
import { CompConvError } from '../../src/errors.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { defineGraph, graphParams, shapeOf, type Graph } from '../../src/graph/graph.ts';
import { compress, type CompConvOptions } from '../../src/models/compress.ts';
import { foldedNetwork, type FoldedNetwork, type FoldedNode } from '../../src/onnx/fold-batch-norms.ts';
import type { Node } from '../../src/ops/node.ts';
import { runReference } from '../../src/reference/run.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import type { Weights } from '../../src/weights/weights.ts';
import { expectClose, F32_UNIT_ROUNDOFF } from '../support/compare.ts';
import { distinctValues } from '../support/random.ts';

const SHAPE = { n: 2, h: 6, w: 5, c: 8 };
const INPUT: Tensor = { shape: [2, 8, 6, 5], data: distinctValues(480, 3) };

/** All is float64 but the folded constants, rounded once each, of a few layers one behind the other. */
const ROUNDED = { relativeL2: 16 * F32_UNIT_ROUNDOFF };

class Builder extends GraphBuilder {
  bias(name: string, x: string): string {
    return this.node(name, { op: 'channel-bias' }, x);
  }

  depthwise(name: string, x: string, channels: number, bias: boolean): string {
    return this.node(name, { op: 'depthwise-conv2d', channels, kernelSize: 3, stride: 1, padding: 1, bias }, x);
  }
}

function graphOf(build: (g: Builder, x: string) => void): Graph {
  const g = new Builder();
  build(g, g.input(SHAPE));
  return g.build('folds');
}

const seeded = (graph: Graph): Weights => seededWeights(graphParams(graph), 5);

/** The folded network as a graph that the reference can evaluate: an affine is a depthwise 1x1 convolution. */
function asGraph({ name, nodes, output }: FoldedNetwork): { graph: Graph; weights: Weights; output: string } {
  const tensors = new Map<string, Tensor>();
  const graph = defineGraph(
    name,
    nodes.map(({ name: node, attrs, inputs, weight, bias, output: { c } }): Node => {
      if (attrs.op !== 'channel-affine') {
        for (const tensor of [weight, bias]) if (tensor) tensors.set(tensor.name, { shape: tensor.shape, data: tensor.values() });
        return { name: node, attrs, inputs };
      }
      const scale = weight?.values() ?? new Float32Array(c).fill(1);
      tensors.set(`${node}.weight`, { shape: [c, 1, 1, 1], data: scale }).set(`${node}.bias`, { shape: [c], data: bias!.values() });
      return { name: node, attrs: { op: 'depthwise-conv2d', channels: c, kernelSize: 1, stride: 1, padding: 0, bias: true }, inputs };
    }),
  );
  const shapes = new Map([...tensors].map(([param, { shape }]) => [param, shape]));
  return { graph, weights: { shapes, get: (param) => tensors.get(param)! }, output };
}

/** Folds, checks that the result computes the same and has the shapes it says, and gives its nodes, the input aside. */
function fold(graph: Graph): readonly FoldedNode[] {
  const weights = seeded(graph);
  const folded = foldedNetwork(graph, weights);
  const again = asGraph(folded);
  for (const { name, output } of folded.nodes) expect(shapeOf(again.graph, name)).toEqual(output);
  expect(graphParams(again.graph)).toEqual(again.weights.shapes);
  const expected = runReference(graph, weights, INPUT).get(graph.output)!;
  const actual = runReference(again.graph, again.weights, INPUT).get(again.output)!;
  expectClose(actual.data, expected.data, ROUNDED);
  return folded.nodes.slice(1);
}

const printed = (nodes: readonly FoldedNode[]) =>
  nodes.map(({ name, attrs, inputs, weight, bias }) => `${name} = ${attrs.op}(${inputs.join(', ')})${weight ? ' *' : ''}${bias ? ' +' : ''}`);

const cases: Record<string, [build: (g: Builder, x: string) => void, folded: string[]]> = {
  'into a convolution without a bias, and with one': [
    (g, x) => {
      const a = g.relu('relu', g.batchNorm('bn1', g.conv2d('conv1', x, 6, { kernelSize: 3, padding: 1 })));
      g.batchNorm('bn2', g.conv2d('conv2', a, 9, { kernelSize: 3, stride: 2, bias: true, groups: 3 }));
    },
    ['conv1 = conv2d(input) * +', 'relu = relu(conv1)', 'conv2 = conv2d(relu) * +'],
  ],
  'into a depthwise convolution and a linear layer': [
    (g, x) => void g.batchNorm('bn2', g.linear('fc', g.batchNorm('bn1', g.depthwise('dw', x, 5, true)), 7)),
    ['dw = depthwise-conv2d(input) * +', 'fc = linear(dw) * +'],
  ],
  'a convolution without anything behind it stays as it is': [
    (g, x) => void g.relu('relu', g.conv2d('conv', x, 6, { kernelSize: 1 })),
    ['conv = conv2d(input) *', 'relu = relu(conv)'],
  ],
  'one after the other, biases among them': [
    (g, x) => void g.bias('b2', g.batchNorm('bn2', g.bias('b1', g.batchNorm('bn1', g.conv2d('conv', x, 6, { kernelSize: 3 }))))),
    ['conv = conv2d(input) * +'],
  ],
  'not where something else reads the convolution': [
    (g, x) => {
      const conv = g.conv2d('conv', x, 8, { kernelSize: 1, bias: true });
      g.add('sum', g.batchNorm('bn', conv), conv);
    },
    ['conv = conv2d(input) * +', 'bn = channel-affine(conv) * +', 'sum = add(bn, conv)'],
  ],
  'not where something else reads what lies between two': [
    (g, x) => {
      const first = g.batchNorm('bn1', g.conv2d('conv', x, 8, { kernelSize: 1 }));
      g.add('sum', g.batchNorm('bn2', first), first);
    },
    ['conv = conv2d(input) * +', 'bn2 = channel-affine(conv) * +', 'sum = add(bn2, conv)'],
  ],
  'not through a ReLU, a pool, an addition; in front, all of a run is one affine, a bias alone has no weight': [
    (g, x) => {
      const a = g.batchNorm('bn', g.bias('b1', g.relu('relu', x)));
      g.bias('b3', g.maxPool('pool', g.bias('b2', g.add('sum', a, x)), 2, 2));
    },
    [
      'relu = relu(input)', 'b1 = channel-affine(relu) * +', 'sum = add(b1, input)', 'b2 = channel-affine(sum) +',
      'pool = max-pool(b2)', 'b3 = channel-affine(pool) +',
    ],
  ],
};

describe('foldedNetwork', () => {
  it.each(Object.entries(cases))('%s', (_title, [build, folded]) => {
    expect(printed(fold(graphOf(build)))).toEqual(folded);
  });

  const plain = () => graphOf((g, x) => void g.relu('relu', g.batchNorm('bn', g.conv2d('conv', x, 24, { kernelSize: 3, padding: 1 }))));

  it('a CompConv: BatchNorms inside into their convolutions, the one behind it stays', () => {
    const nodes = fold(compress(plain(), { depths: { conv: 2 }, inner: 'bn-relu', innerBias: true }));
    expect(printed(nodes)).toEqual([
      'conv.primitive = conv2d(input) * +',
      'conv.primitive_relu = relu(conv.primitive)',
      'conv.identity.0 = channel-slice(input)',
      'conv.pair.0 = channel-concat(conv.identity.0, conv.primitive_relu)',
      'conv.grow.0 = conv2d(conv.pair.0) * +',
      'conv.grow_relu.0 = relu(conv.grow.0)',
      'conv.tail = depthwise-conv2d(conv.grow_relu.0) * +',
      'conv.tail_relu = relu(conv.tail)',
      'conv.concat = channel-concat(conv.pair.0, conv.tail_relu, conv.grow_relu.0)',
      'conv = channel-shuffle(conv.concat)',
      'bn = channel-affine(conv) * +',
      'relu = relu(bn)',
    ]);
  });

  const compressions: CompConvOptions[] = [1, 2].flatMap((depth) => [
    { depths: { conv: depth } },
    { depths: { conv: depth }, shuffleGroups: 1, innerBias: true },
    { depths: { conv: depth }, shuffleGroups: 4, inner: 'bn-relu' },
  ]);
  it.each(compressions)('%o', (options) => void fold(compress(plain(), options)));

  it('computes nothing before it is asked, and hands unfolded weights on as they are', () => {
    const graph = graphOf((g, x) => void g.conv2d('conv', x, 6, { kernelSize: 1 }));
    const data = distinctValues(48, 1);
    let calls = 0;
    const weights: Weights = {
      shapes: graphParams(graph),
      get(name) {
        calls++;
        return { shape: this.shapes.get(name)!, data };
      },
    };
    const { nodes } = foldedNetwork(graph, weights);
    expect(calls).toBe(0);
    expect(nodes[1].weight!.values()).toBe(data);
    expect(calls).toBe(1);
  });

  it('weights that do not fit', () => {
    const graph = plain();
    const { shapes, get } = seeded(graph);
    const without = new Map([...shapes].filter(([name]) => name !== 'bn.running_var'));
    expect(() => foldedNetwork(graph, { shapes: without, get })).toThrow(/folds: .* 1 missing[^]*bn\.running_var \[24\]/);
    const short = { shapes, get: (name: string) => ({ ...get(name), data: get(name).data.subarray(1) }) };
    const [, conv] = foldedNetwork(graph, short).nodes;
    expect(() => conv.bias!.values()).toThrow('bn.weight: shape [24] needs 24 values, the weights give 23');
    try {
      conv.weight!.values();
      expect.unreachable();
    } catch (error) {
      expect((error as CompConvError).code).toBe('invalid-weights');
    }
  });
});

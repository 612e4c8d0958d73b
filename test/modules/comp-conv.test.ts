/** The expansion of a CompConv computes what the paper's recursion does; it stores and costs what the module says. */
import { describe, expect, it } from 'vitest';
import { defineGraph, graphParams, inputShapes, shapeOf, type Graph } from '../../src/graph/graph.ts';
import { networkCost } from '../../src/graph/cost.ts';
import { expandCompConv } from '../../src/modules/comp-conv.ts';
import type { CompConvAttrs, Inner } from '../../src/ops/comp-conv.ts';
import type { Node } from '../../src/ops/node.ts';
import { paramsOf } from '../../src/ops/ops.ts';
import { runReference } from '../../src/reference/run.ts';
import { formatShape } from '../../src/tensor/tensor.ts';
import type { ImageShape } from '../../src/tensor/image-shape.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import { expectClose } from '../support/compare.ts';
import { distinctValues } from '../support/random.ts';

interface Case {
  readonly x: ImageShape;
  readonly attrs: CompConvAttrs;
}

const NAME = 'layer2.0.conv1';

/** 16 -> 24 channels (a multiple of 1, 2 and 4; feasible at every depth) on odd and unequal sizes. */
function makeCase(change: Partial<CompConvAttrs>, x: Partial<ImageShape> = {}): Case {
  const { kernelSize = 3 } = change;
  return {
    x: { n: 1, h: 7, w: 9, c: 16, ...x },
    attrs: {
      op: 'comp-conv', outChannels: 24, depth: 1, stride: 1, shuffleGroups: 2, inner: 'linear', bias: false,
      innerBias: false, kernelSize, padding: (kernelSize - 1) / 2, ...change,
    },
  };
}

const title = ({ x, attrs: a }: Case) =>
  `d=${a.depth} x=[${x.n},${x.h},${x.w},${x.c}] -> ${a.outChannels} k=${a.kernelSize} s=${a.stride} p=${a.padding} ` +
  `g=${a.shuffleGroups} ${a.inner}${a.bias ? ' bias' : ''}${a.innerBias ? ' inner bias' : ''}`;

const DEPTHS = [1, 2, 3] as const;
const INNERS: readonly Inner[] = ['linear', 'bn-relu'];
const grid: Case[] = DEPTHS.flatMap((depth) => [
  ...[1, 3, 5, 7].flatMap((kernelSize) => [1, 2].map((stride) => makeCase({ depth, kernelSize, stride }))),
  ...[1, 2, 4].flatMap((shuffleGroups) =>
    INNERS.flatMap((inner) => [false, true].map((bias) => makeCase({ depth, shuffleGroups, inner, bias }))),
  ),
  ...INNERS.map((inner) => makeCase({ depth, inner, innerBias: true })),
  makeCase({ depth, stride: 3, kernelSize: 5 }, { n: 2, h: 11, w: 8 }),
  makeCase({ depth, stride: 2 }, { h: 1, w: 13 }),
  makeCase({ depth, kernelSize: 7 }, { h: 1, w: 1 }),
  // Widths 37 and 74 at depth 3 of 512 are the normal case: no multiples of 4.
  makeCase({ depth, outChannels: 70, inner: 'bn-relu', bias: true }, { c: 24, h: 3, w: 5 }),
  // One tailing channel is left.
  makeCase({ depth, outChannels: [11, 9, 11][depth - 1], shuffleGroups: 1, padding: 1 }),
]);
/** Only the primitive has a padding of its own, so only depth 1 may have another than "same". */
grid.push(makeCase({ depth: 1, padding: 0 }), makeCase({ depth: 1, padding: 2, stride: 2 }));

function graphOf({ x, attrs }: Case, expanded: boolean): Graph {
  const node: Node<CompConvAttrs> = { name: NAME, attrs, inputs: ['input'] };
  const input: Node = { name: 'input', attrs: { op: 'input', shape: x }, inputs: [] };
  return defineGraph(title({ x, attrs }), [input, ...(expanded ? expandCompConv(node) : [node])]);
}

const sortedParams = (graph: Graph) =>
  [...graphParams(graph)].map(([name, shape]) => `${name} ${formatShape(shape)}`).sort();

describe('expandCompConv', () => {
  it.each(grid.map((c) => [title(c), c] as const))('%s', (_title, c) => {
    const composite = graphOf(c, false);
    const expanded = graphOf(c, true);
    expect(expanded.output).toBe(NAME);
    expect(shapeOf(expanded, NAME)).toEqual(shapeOf(composite, NAME));

    expect(sortedParams(expanded)).toEqual(sortedParams(composite));
    expect(networkCost(expanded).total.macs).toBe(networkCost(composite).total.macs);
    expect(networkCost(expanded).total.params).toBe(networkCost(composite).total.params);

    const { n, h, w, c: channels } = c.x;
    const weights = seededWeights(graphParams(composite), 7);
    const input = { shape: [n, channels, h, w], data: distinctValues(n * channels * h * w, 11) };
    const expected = runReference(composite, weights, input).get(NAME)!;
    const actual = runReference(expanded, weights, input).get(NAME)!;
    expect(expected.data.some((value) => value !== 0)).toBe(true);
    // The same float64 operations in the same order.
    expectClose(actual.data, expected.data, { relativeL2: 0 });
  });

  it.each([
    [1, ['conv2d', 'depthwise-conv2d', 'channel-concat', 'channel-shuffle']],
    [
      2,
      ['conv2d', 'channel-slice', 'channel-concat', 'conv2d', 'depthwise-conv2d', 'channel-concat', 'channel-shuffle'],
    ],
    [
      3,
      [
        'conv2d', 'channel-slice', 'channel-concat', 'conv2d', 'channel-slice', 'channel-concat', 'conv2d',
        'depthwise-conv2d', 'channel-concat', 'channel-shuffle',
      ],
    ],
  ] as const)('depth %d is made of these ops, in this order', (depth, ops) => {
    const graph = graphOf(makeCase({ depth }), true);
    expect(graph.nodes.slice(1).map((node) => node.attrs.op)).toEqual(ops);
  });

  it('prefixes every node with the name of the module', () => {
    const graph = graphOf(makeCase({ depth: 3, inner: 'bn-relu', bias: true }), true);
    for (const { name } of graph.nodes.slice(1, -1)) expect(name).toMatch(/^layer2\.0\.conv1\../);
  });

  it('names the parameters as the checkpoint does, d=3 bn-relu bias', () => {
    const { attrs, x } = makeCase({ depth: 3, inner: 'bn-relu', bias: true });
    const params = paramsOf({ name: 'conv', attrs, inputs: ['input'] }, [x]);
    const names = params.map(([name, shape]) => `${name} ${formatShape(shape)}`);
    // 16 -> 24 at d = 3: c = ceil(24 / 14) = 2; the parts are 2 2 4 4 t 8, so t = 24 - 20 = 4.
    const norm = (name: string, channels: number) =>
      ['weight', 'bias', 'running_mean', 'running_var'].map((part) => `conv.${name}.${part} [${channels}]`);
    expect(names.sort()).toEqual(
      [
        'conv.primitive.weight [2, 16, 3, 3]', 'conv.grow.0.weight [4, 4, 3, 3]', 'conv.grow.1.weight [8, 8, 3, 3]',
        'conv.tail.weight [4, 1, 3, 3]', 'conv.bias [24]',
        ...norm('primitive_bn', 2), ...norm('grow_bn.0', 4), ...norm('grow_bn.1', 8), ...norm('tail_bn', 4),
      ].sort(),
    );
  });

  it('takes the identity slices one behind the other: channels [0, c), then [c, 3c)', () => {
    const graph = graphOf(makeCase({ depth: 3, stride: 2 }), true);
    const slices = graph.nodes.map(({ attrs }) => attrs).filter((attrs) => attrs.op === 'channel-slice');
    expect(slices).toEqual([
      { op: 'channel-slice', begin: 0, channels: 2, stride: 2 },
      { op: 'channel-slice', begin: 2, channels: 4, stride: 2 },
    ]);
  });

  it('reads nothing but its input and its own nodes', () => {
    const graph = graphOf(makeCase({ depth: 3 }), true);
    for (const node of graph.nodes.slice(1)) {
      expect(inputShapes(graph, node).length).toBe(node.inputs.length);
      for (const input of node.inputs) expect(input === 'input' || input.startsWith(`${NAME}.`)).toBe(true);
    }
  });
});

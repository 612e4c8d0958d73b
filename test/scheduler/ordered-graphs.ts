/**
 * Small graphs in which channel orders meet every kind of reader, with how many shuffles must stay. The plan test counts
 * them, the GPU test runs them.
 */
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import type { CompConvAttrs } from '../../src/ops/comp-conv.ts';

const SHAPE = { n: 2, h: 5, w: 7, c: 12 };

class Builder extends GraphBuilder {
  compConv(name: string, x: string, options: Partial<CompConvAttrs> = {}): string {
    const attrs: CompConvAttrs = {
      op: 'comp-conv', outChannels: 24, kernelSize: 3, stride: 1, padding: 1, depth: 2, shuffleGroups: 2, inner: 'linear',
      bias: true, innerBias: false, ...options,
    };
    return this.node(name, attrs, x);
  }
}

type Case = (g: Builder, x: string) => void;

const cases: Record<string, [shuffles: number, build: Case]> = {
  'the network ends in a shuffle': [1, (g, x) => void g.compConv('a', x)],
  'convolution, slice and linear read a shuffled value': [0, (g, x) => void g.linear('fc', g.compConv('b', g.compConv('a', x, { shuffleGroups: 4 }), { stride: 2 }), 9)],
  '1x1 modules with tails as scales': [
    0,
    (g, x) => {
      const a = g.compConv('a', x, { kernelSize: 1, padding: 0, depth: 1 });
      const b = g.compConv('b', a, { kernelSize: 1, padding: 0, depth: 3, outChannels: 36, shuffleGroups: 3 });
      g.linear('fc', g.relu('relu', g.batchNorm('bn', b)), 5);
    },
  ],
  'pools keep the order': [0, (g, x) => void g.linear('fc', g.avgPool('avg', g.maxPool('max', g.compConv('a', x), 2, 2), 2, 2), 9)],
  'a residual in the same order': [
    0,
    (g, x) => {
      const a = g.compConv('a', x);
      g.linear('fc', g.relu('relu', g.add('add', g.batchNorm('bn', g.compConv('b', a)), a)), 9);
    },
  ],
  'a residual in another order': [
    2,
    (g, x) => {
      const a = g.compConv('a', x, { shuffleGroups: 4 });
      g.linear('fc', g.add('add', g.compConv('b', a), a), 9);
    },
  ],
  'a plain convolution takes the order of its residual': [
    0,
    (g, x) => {
      const a = g.compConv('a', x);
      g.linear('fc', g.relu('relu', g.add('add', g.batchNorm('bn', g.conv2d('plain', a, 24, { kernelSize: 3, padding: 1 })), a)), 9);
    },
  ],
  'a plain shortcut keeps the shuffle': [
    1,
    (g, x) => {
      const shortcut = g.conv2d('shortcut', x, 24, { kernelSize: 1 });
      g.linear('fc', g.add('add', g.compConv('a', x), shortcut), 9);
    },
  ],
  'depthwise, grouped convolution, concatenation and softmax want the order of the graph': [
    4,
    (g, x) => {
      const depthwise = g.node('dw', { op: 'depthwise-conv2d', channels: 20, kernelSize: 3, stride: 1, padding: 1, bias: true }, g.compConv('a', x));
      const grouped = g.conv2d('grouped', g.compConv('b', depthwise), 24, { kernelSize: 3, padding: 1, groups: 3 });
      const joined = g.node('joined', { op: 'channel-concat' }, grouped, g.compConv('c', grouped));
      g.node('softmax', { op: 'softmax' }, g.compConv('d', joined));
    },
  ],
  'a shuffle of a shuffle, and one that nothing was joined for': [
    2,
    (g, x) => {
      const a = g.node('again', { op: 'channel-shuffle', groups: 3 }, g.compConv('a', x));
      g.linear('fc', a, 9);
    },
  ],
};

/** The graphs by name. */
export function orderedGraphs(): Record<string, { graph: Graph; shuffles: number }> {
  return Object.fromEntries(
    Object.entries(cases).map(([name, [shuffles, build]]) => {
      const g = new Builder();
      build(g, g.input(SHAPE));
      return [name, { graph: g.build(name), shuffles }];
    }),
  );
}

/**
 * Small graphs in which channel orders meet every kind of reader, with how many dispatches that only move channels must
 * stay. The plan test counts them, the GPU test runs them.
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

const cases: Record<string, [moves: number, build: Case]> = {
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
    0,
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
  'a plain shortcut beside a module': [
    0,
    (g, x) => {
      const shortcut = g.conv2d('shortcut', x, 24, { kernelSize: 1 });
      g.linear('fc', g.add('add', g.compConv('a', x), shortcut), 9);
    },
  ],
  'depthwise, grouped convolution, concatenation and softmax want the order of the graph': [
    5,
    (g, x) => {
      const depthwise = g.node('dw', { op: 'depthwise-conv2d', channels: 20, kernelSize: 3, stride: 1, padding: 1, bias: true }, g.compConv('a', x));
      const grouped = g.conv2d('grouped', g.compConv('b', depthwise), 24, { kernelSize: 3, padding: 1, groups: 3 });
      const joined = g.node('joined', { op: 'channel-concat' }, grouped, g.compConv('c', grouped));
      g.node('softmax', { op: 'softmax' }, g.compConv('d', joined));
    },
  ],
  'inputs that cannot be written in place are copied, or the concatenation stays': [
    4,
    (g, x) => {
      const conv = (name: string, channels: number) => g.conv2d(name, x, channels, { kernelSize: 3, padding: 1 });
      const copied = g.node('copied', { op: 'channel-concat' }, conv('a', 5), x, conv('b', 7));
      const pools = [g.maxPool('pool', copied, 3, 1, 1), g.maxPool('pool2', copied, 5, 1, 2), g.maxPool('pool3', copied, 1, 1)];
      g.linear('fc', g.node('stays', { op: 'channel-concat' }, ...pools), 9);
    },
  ],
  'one convolution in two concatenations, twice in one, and read by itself': [
    1,
    (g, x) => {
      const a = g.conv2d('a', x, 6, { kernelSize: 1 });
      const b = g.conv2d('b', x, 5, { kernelSize: 3, padding: 1 });
      const twice = g.relu('relu1', g.batchNorm('bn1', g.node('twice', { op: 'channel-concat' }, a, b, a)));
      const again = g.relu('relu2', g.batchNorm('bn2', g.node('again', { op: 'channel-concat' }, b, a)));
      const joined = g.node('joined', { op: 'channel-concat' }, g.conv2d('c', twice, 6, { kernelSize: 1 }), g.conv2d('d', again, 3, { kernelSize: 1 }));
      g.linear('fc', g.add('sum', g.conv2d('e', joined, 6, { kernelSize: 1 }), a), 9);
    },
  ],
  'a residual that is computed after a part': [
    1,
    (g, x) => {
      const early = g.conv2d('early', x, 8, { kernelSize: 1 });
      const residual = g.conv2d('residual', x, 16, { kernelSize: 1 });
      const late = g.conv2d('late', x, 8, { kernelSize: 3, padding: 1 });
      g.linear('fc', g.relu('relu', g.add('sum', g.node('joined', { op: 'channel-concat' }, early, late), residual)), 9);
    },
  ],
  'inner BatchNorm and ReLU, with and without a stride': [
    0,
    (g, x) => {
      const a = g.compConv('a', x, { inner: 'bn-relu', innerBias: true });
      const b = g.compConv('b', a, { inner: 'bn-relu', stride: 2, depth: 3, outChannels: 36, shuffleGroups: 1 });
      g.linear('fc', g.relu('relu', g.batchNorm('bn', g.compConv('c', b, { inner: 'bn-relu', kernelSize: 1, padding: 0, depth: 3 }))), 9);
    },
  ],
  'biases inside 1x1 modules of depth 3 are not merged away': [
    0,
    (g, x) => {
      const a = g.compConv('a', x, { kernelSize: 1, padding: 0, depth: 3, innerBias: true, outChannels: 38 });
      g.linear('fc', g.compConv('b', a, { kernelSize: 1, padding: 0, depth: 3, outChannels: 38, stride: 2, shuffleGroups: 19 }), 9);
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
export function orderedGraphs(): Record<string, { graph: Graph; moves: number }> {
  return Object.fromEntries(
    Object.entries(cases).map(([name, [moves, build]]) => {
      const g = new Builder();
      build(g, g.input(SHAPE));
      return [name, { graph: g.build(name), moves }];
    }),
  );
}

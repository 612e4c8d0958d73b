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
  'five, seven and nine values that cannot be written in place are joined in steps': [
    7,
    (g, x) => {
      const pools = [1, 3, 5].flatMap((k) => [1, 2, 3].map((i) => g.maxPool(`pool${k}-${i}`, g.conv2d(`conv${k}-${i}`, x, 2 * i + 1, { kernelSize: 1 }), k, 1, (k - 1) / 2)));
      const joined = [5, 7, 9].map((count) => g.node(`joined${count}`, { op: 'channel-concat' }, ...pools.slice(0, count)));
      const finished = g.relu('relu', g.add('add', g.batchNorm('bn', joined[1]), g.conv2d('residual', x, 33, { kernelSize: 1 })));
      const heads = [joined[0], finished, joined[2]].map((value, i) => g.linear(`head${i}`, value, 9));
      g.add('sum', g.add('two', heads[0], heads[1]), heads[2]);
    },
  ],
  'values that are in one concatenation twice, one of them in another one as well': [
    3,
    (g, x) => {
      const conv = (name: string, channels: number) => g.conv2d(name, x, channels, { kernelSize: 3, padding: 1 });
      const a = conv('a', 5);
      const twice = g.node('twice', { op: 'channel-concat' }, a, conv('b', 6), ...Array<string>(2).fill(g.maxPool('pool', x, 3, 1, 1)));
      const inputs = g.node('inputs', { op: 'channel-concat' }, x, conv('c', 7), x, conv('d', 8));
      const depthwise = g.node('dw', { op: 'depthwise-conv2d', channels: 9, kernelSize: 3, stride: 1, padding: 1, bias: true }, x);
      const once = g.node('once', { op: 'channel-concat' }, depthwise, conv('e', 3));
      const again = g.node('again', { op: 'channel-concat' }, depthwise, conv('f', 4), depthwise);
      const heads = [twice, inputs, once, again].map((value, i) => g.linear(`head${i}`, value, 9));
      heads.reduce((sum, head, i) => g.add(`sum${i}`, sum, head));
    },
  ],
  'concatenations of concatenations, a copy among the parts of the first one': [
    5,
    (g, x) => {
      let dense = g.maxPool('pool', x, 3, 1, 1);
      for (const i of [0, 1, 2, 3]) {
        const bottleneck = g.relu(`relu${i}`, g.batchNorm(`bn${i}`, g.conv2d(`bottleneck${i}`, dense, 8, { kernelSize: 1 })));
        dense = g.node(`dense${i}`, { op: 'channel-concat' }, dense, g.conv2d(`conv${i}`, bottleneck, 5, { kernelSize: 3, padding: 1 }));
      }
      g.linear('fc', dense, 9);
    },
  ],
  'what two linear convolutions read, one of the other, shares a slice': [
    0,
    (g, x) => {
      const slice = g.node('slice', { op: 'channel-slice', begin: 2, channels: 5, stride: 1 }, x);
      const inner = g.conv2d('inner', g.node('source', { op: 'channel-concat' }, slice, g.conv2d('a', x, 6, { kernelSize: 1 })), 7, { kernelSize: 1 });
      const outer = g.conv2d('outer', g.node('pair', { op: 'channel-concat' }, slice, inner), 9, { kernelSize: 1 });
      g.linear('fc', g.relu('relu', g.node('joined', { op: 'channel-concat' }, inner, outer)), 9);
    },
  ],
  '1x1 modules with nothing between them': [
    0,
    (g, x) => {
      const options = { kernelSize: 1, padding: 0, shuffleGroups: 1, bias: false };
      const a = g.compConv('a', x, { ...options, depth: 1 });
      const b = g.compConv('b', g.compConv('c', a, { ...options, depth: 1 }), { ...options, depth: 2 });
      g.linear('fc', g.relu('relu', g.compConv('d', b, { ...options, depth: 2 })), 9);
    },
  ],
  'linear convolutions that are no modules: a ReLU between them, a part that nobody else reads': [
    2,
    (g, x) => {
      const joined = (name: string, ...parts: string[]) => g.node(name, { op: 'channel-concat' }, ...parts);
      const slice = (name: string, begin: number) => g.node(name, { op: 'channel-slice', begin, channels: 5, stride: 1 }, x);
      const conv = (name: string, value: string, channels: number) => g.conv2d(name, value, channels, { kernelSize: 1 });
      const inner = conv('inner', joined('source', slice('first', 2), conv('a', x, 6)), 7);
      const outer = conv('outer', g.relu('relu', joined('pair', slice('second', 1), inner)), 9);
      const [b, c] = [conv('b', x, 6), conv('c', x, 7)];
      const [third, fourth] = [slice('third', 3), slice('fourth', 4)];
      const heads = [
        joined('all', outer, conv('beside', x, 3)),
        joined('without-slice', b, conv('of-b', joined('pair-b', third, b), 9)),
        joined('without-primitive', fourth, conv('of-c', joined('pair-c', fourth, c), 9)),
      ];
      heads.map((value, i) => g.linear(`head${i}`, value, 9)).reduce((sum, head, i) => g.add(`sum${i}`, sum, head));
    },
  ],
  'a head that nobody reads': [
    0,
    (g, x) => {
      const a = g.compConv('a', x);
      g.relu('head.relu', g.batchNorm('head.bn', g.compConv('head.conv', a)));
      g.linear('fc', g.relu('relu', g.batchNorm('bn', g.compConv('b', a))), 9);
    },
  ],
  'shuffles in a row: as one where their product is a shuffle': [
    2,
    (g, x) => {
      const shuffle = (name: string, groups: number, value: string) => g.node(name, { op: 'channel-shuffle', groups }, value);
      const a = g.compConv('a', x, { bias: false });
      const product = shuffle('product', 1, shuffle('first', 3, a));
      const none = shuffle('none', 4, shuffle('second', 4, g.compConv('b', product, { bias: false, shuffleGroups: 1 })));
      g.linear('fc', none, 9);
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

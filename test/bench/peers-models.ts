/** What peers are compared on, made alike in a worker and in Node: two networks, and the ops that these do not have. */
import { GraphBuilder } from '../../src/graph/builder.ts';
import { graphParams, type Graph } from '../../src/graph/graph.ts';
import { seededModel, type Model } from '../../src/models/read-model.ts';
import { seededWeights } from '../../src/weights/seeded.ts';

const PLAIN = { arch: 'resnet18', classes: 10 };
const SIZE = { height: 32 };

const models = {
  plain: (): Model => seededModel(PLAIN, 1, SIZE),
  compConv: (): Model => seededModel({ ...PLAIN, c0: 64 }, 1, SIZE),
  otherOps: (): Model => {
    const graph = otherOps();
    return { graph, weights: seededWeights(graphParams(graph), 1) };
  },
};

export type PeerModelName = keyof typeof models;

export function createPeerModel(name: PeerModelName): Model {
  return models[name]();
}

/** Batch 2; a biased CompConv, odd sizes, a max pool of negative values, windows that overlap, and everything read twice. */
function otherOps(): Graph {
  const g = new GraphBuilder();
  const input = g.input({ n: 2, h: 11, w: 9, c: 6 });
  const window = { kernelSize: 3, stride: 2, padding: 1 };
  const inside = { depth: 2, shuffleGroups: 2, inner: 'bn-relu', bias: true, innerBias: true } as const;
  let x = g.node('module', { op: 'comp-conv', outChannels: 16, ...window, ...inside }, input);
  x = g.add('twice', g.relu('module.relu', x), x);
  x = g.maxPool('pool', x, 3, 1, 1);
  x = g.node('first', { op: 'depthwise-conv2d', ...window, stride: 1, channels: 5, bias: true }, x);
  x = g.avgPool('average', x, 4, 3);
  x = g.relu('fc.relu', g.linear('fc', x, 7));
  g.node('softmax', { op: 'softmax' }, g.linear('classifier', x, 5));
  return g.build('other ops');
}

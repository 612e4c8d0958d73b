/** Channel orders: positions are a permutation that the shuffle undoes; shuffles go where they can and stay where they must. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { compress } from '../../src/models/compress.ts';
import { createNetwork } from '../../src/models/network.ts';
import { summarizePlan } from '../../src/scheduler/plan.ts';
import { DEFAULT_LIMITS, schedule } from '../../src/scheduler/schedule.ts';
import { channelAt, channelPosition } from '../../src/tensor/channel-layout.ts';
import { orderedGraphs } from './ordered-graphs.ts';

test('channelPosition is a permutation, channelAt its inverse, and a shuffle finds channel j g + q at q C/g + j', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 40 }), (order, perGroup) => {
      const channels = order * perGroup;
      const positions = Array.from({ length: channels }, (_, c) => channelPosition(c, channels, order));
      expect([...positions].sort((a, b) => a - b)).toEqual(positions.map((_, i) => i));
      positions.forEach((position, c) => expect(channelAt(position, channels, order)).toBe(c));
      for (let j = 0; j < perGroup; j++) {
        for (let q = 0; q < order; q++) expect(channelPosition(j * order + q, channels, order)).toBe(q * perGroup + j);
      }
    }),
  );
});

const counts = (graph: Graph) => summarizePlan(schedule(graph)).dispatchesByKernel;

describe('shuffles', () => {
  test('none is left in any CompConv network of the zoo but where it ends in one', () => {
    for (const arch of ['resnet18', 'resnet50', 'vgg11', 'vgg16_bn', 'resnet_small14']) {
      for (const shuffleGroups of [2, 4]) {
        expect(counts(createNetwork({ arch, c0: 32, shuffleGroups, inner: 'bn-relu' }))['channel-shuffle'], arch).toBeUndefined();
      }
    }
  });

  test.each(Object.entries(orderedGraphs()))('%s', (_, { graph, shuffles }) => {
    expect(counts(graph)['channel-shuffle'] ?? 0).toBe(shuffles);
    const reference = summarizePlan(schedule(graph, DEFAULT_LIMITS, 'reference')).dispatchesByKernel;
    expect(reference['channel-shuffle']).toBeGreaterThanOrEqual(shuffles);
  });

  test('depths of 0: a plain shortcut keeps the shuffles of its stage, a plain branch takes the order of its shortcut', () => {
    const depths = { 'layer2.0.downsample.0': 0, 'layer3.0.conv2': 0 };
    const graph = compress(createNetwork({ arch: 'resnet18' }), { c0: 64, depths });
    // Those of layer2.0.conv2, which is added to the shortcut, and of layer2.1.conv2, which is added to that.
    expect(schedule(graph).dispatches.filter(({ kernel }) => kernel.name === 'channel-shuffle').map(({ label }) => label)).toEqual([
      'layer2.0.relu2',
      'layer2.1.relu2',
    ]);
  });
});

test('the tail of a 1x1 module needs no dispatch of its own', () => {
  const g = new GraphBuilder();
  const x = g.input({ n: 1, h: 5, w: 5, c: 16 });
  g.relu('relu', g.batchNorm('bn', g.conv2d('conv', x, 22, { kernelSize: 1 })));
  const plain = g.build('pointwise');
  for (const [inner, tails] of [['linear', undefined], ['bn-relu', 1]] as const) {
    const graph = compress(plain, { depths: { conv: 2 }, inner });
    expect(counts(graph)['depthwise-conv2d-row'], inner).toBe(tails);
  }
});

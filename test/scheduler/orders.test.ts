/** Channel layouts, and what only moves channels: it goes where it can and stays where it must. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { networkCost } from '../../src/graph/cost.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { compress } from '../../src/models/compress.ts';
import { createNetwork } from '../../src/models/network.ts';
import { summarizePlan } from '../../src/scheduler/plan.ts';
import { DEFAULT_LIMITS, schedule, type ScheduleOptions } from '../../src/scheduler/schedule.ts';
import { PADDING, channelsOfLanes, segmentedLayout, shuffledChannel } from '../../src/tensor/channel-layout.ts';
import { orderedGraphs } from './ordered-graphs.ts';

test('a shuffle moves what lies at q C/g + j to channel j g + q: a permutation, without groups none', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 40 }), (groups, perGroup) => {
      const channels = groups * perGroup;
      const moved = Array.from({ length: channels }, (_, position) => shuffledChannel(position, channels, groups));
      expect([...moved].sort((a, b) => a - b)).toEqual(moved.map((_, i) => i));
      for (let j = 0; j < perGroup; j++) for (let q = 0; q < groups; q++) expect(moved[q * perGroup + j]).toBe(j * groups + q);
      if (groups === 1) expect(moved).toEqual(moved.map((_, i) => i));
    }),
  );
});

test('a shuffle of a shuffle is the one of the product of their groups, where that divides the channels', () => {
  const groups = fc.integer({ min: 1, max: 8 });
  fc.assert(
    fc.property(groups, groups, groups, (first, second, perGroup) => {
      const channels = first * second * perGroup;
      const by = (groups: number) => (position: number) => shuffledChannel(position, channels, groups);
      for (let position = 0; position < channels; position++) expect(by(second)(by(first)(position))).toBe(by(first * second)(position));
    }),
  );
});

test('segments are padded one by one, and equal keys are equal layouts', () => {
  const layout = segmentedLayout([[4, 0, 1, 2, 3], [6, 5]]);
  expect(layout.pitch).toBe(12);
  expect([...layout.lanes]).toEqual([1, 2, 3, 4, 0, 9, 8]);
  expect([...channelsOfLanes(layout)]).toEqual([4, 0, 1, 2, 3, PADDING, PADDING, PADDING, 6, 5, PADDING, PADDING]);
  const permutations = fc.uniqueArray(fc.integer({ min: 0, max: 6 }), { minLength: 7, maxLength: 7 });
  fc.assert(
    fc.property(permutations, fc.integer({ min: 0, max: 7 }), permutations, fc.integer({ min: 0, max: 7 }), (a, cutA, b, cutB) => {
      const [one, other] = [[a, cutA] as const, [b, cutB] as const].map(([all, cut]) => segmentedLayout([all.slice(0, cut), all.slice(cut)]));
      expect(one.key === other.key).toBe(one.pitch === other.pitch && one.lanes.join() === other.lanes.join());
    }),
  );
});

const counts = (graph: Graph) => summarizePlan(schedule(graph)).dispatchesByKernel;
/** Dispatches that compute nothing. */
const moves = (graph: Graph, options: ScheduleOptions = {}) => {
  const { dispatchesByKernel } = summarizePlan(schedule(graph, DEFAULT_LIMITS, options));
  return ['channel-slice', 'channel-concat', 'channel-shuffle'].reduce((sum, name) => sum + (dispatchesByKernel[name] ?? 0), 0);
};

describe('dispatches that only move channels', () => {
  test('none is left in any CompConv network of the zoo', () => {
    for (const arch of ['resnet18', 'resnet50', 'vgg11', 'vgg16_bn', 'resnet_small14']) {
      for (const [shuffleGroups, inner] of [[2, 'linear'], [2, 'bn-relu'], [4, 'linear'], [1, 'bn-relu']] as const) {
        expect(moves(createNetwork({ arch, c0: 32, shuffleGroups, inner })), arch).toBe(0);
      }
    }
  });

  test.each(Object.entries(orderedGraphs()))('%s', (_, { graph, moves: expected }) => {
    expect(moves(graph)).toBe(expected);
    expect(moves(graph, { schedule: 'reference' })).toBeGreaterThanOrEqual(Math.min(expected, 1));
  });

  test('depths of 0: plain shortcuts and branches beside modules need none either', () => {
    const depths = { 'layer2.0.downsample.0': 0, 'layer3.0.conv2': 0 };
    expect(moves(compress(createNetwork({ arch: 'resnet18' }), { c0: 64, depths }))).toBe(0);
  });
});

test('a linear 1x1 module is one convolution where it is small, and two dispatches where it is not', () => {
  const kernels = (h: number, depth: 1 | 2 | 3, inner: 'linear' | 'bn-relu' = 'linear') => {
    const g = new GraphBuilder();
    const x = g.input({ n: 1, h, w: h, c: 64 });
    g.linear('fc', g.relu('relu', g.batchNorm('bn', g.conv2d('conv', x, 128, { kernelSize: 1 }))), 3);
    const graph = compress(g.build('pointwise'), { depths: { conv: depth }, inner });
    const plan = schedule(graph, DEFAULT_LIMITS, { withoutPasses: ['fuse-modules'] });
    expect(summarizePlan(plan).macs).toBe(networkCost(graph).total.macs);
    return plan.dispatches.length - 1;
  };
  expect([7, 56].map((h) => kernels(h, 1))).toEqual([1, 1]);
  expect([7, 56].map((h) => kernels(h, 2))).toEqual([1, 2]);
  expect([7, 56].map((h) => kernels(h, 3))).toEqual([1, 2]);
  expect([7, 56].map((h) => kernels(h, 3, 'bn-relu'))).toEqual([4, 4]);
});

test('the tail of a 1x1 module needs no dispatch of its own', () => {
  const g = new GraphBuilder();
  const x = g.input({ n: 1, h: 5, w: 5, c: 16 });
  g.relu('relu', g.batchNorm('bn', g.conv2d('conv', x, 22, { kernelSize: 1 })));
  const plain = g.build('pointwise');
  for (const [inner, tails] of [['linear', undefined], ['bn-relu', 1]] as const) {
    const graph = compress(plain, { depths: { conv: 2 }, inner });
    const { 'depthwise-conv2d-row': one, 'depthwise-conv2d-row-parts': parts } = counts(graph);
    expect(one ?? parts, inner).toBe(tails);
  }
});

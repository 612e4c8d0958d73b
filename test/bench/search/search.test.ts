/** Depths chosen from times that are made up: what is kept, within which budget, and what is refused. */
import { describe, expect, test } from 'vitest';
import { feasibleDepths } from '../../../bench/search/measure.ts';
import { checkSensitivity, chooseDepths } from '../../../bench/search/search.ts';
import type { DepthCost, MeasuredLayers } from '../../../bench/search/measure.ts';
import { adaptiveDepth } from '../../../src/ops/comp-conv-channels.ts';
import { compress } from '../../../src/models/compress.ts';
import { createNetwork } from '../../../src/models/network.ts';
import type { ErrorCode } from '../../../src/errors.ts';

const option = (depth: DepthCost['depth'], ms: number, params: number): DepthCost => ({ depth, ms, params, dispatches: 1, macs: 1 });
/** 10 ms plain, 1 of them no convolution. */
const measured: MeasuredLayers = {
  layers: [
    { layer: 'slow', options: [option(0, 6, 100), option(1, 3, 60), option(2, 2, 30)] },
    // Deeper is slower here, as it is where a GPU waits for launches.
    { layer: 'small', options: [option(0, 1, 50), option(1, 1.5, 20)] },
    { layer: 'large', options: [option(0, 2, 1000), option(2, 0.5, 300)] },
  ],
  restMs: 1,
};
const DEPTHS = new Map(measured.layers.map(({ layer, options }) => [layer, options.map(({ depth }) => depth)]));
const chosen = (budget: Parameters<typeof chooseDepths>[1], sensitivity?: Parameters<typeof chooseDepths>[2]) => Object.values(chooseDepths(measured, budget, sensitivity));

describe('depths', () => {
  test('keep the most parameters within a share of the plain time', () => {
    expect(chosen({ latency: 1 })).toEqual([0, 0, 0]);
    expect(chosen({ latency: 0.7 })).toEqual([1, 0, 0]);
    expect(chosen({ latency: 0.6 })).toEqual([2, 0, 0]);
    expect(chosen({ latency: 0.55 })).toEqual([1, 0, 2]);
    expect(chosen({ latency: 0.45 })).toEqual([2, 0, 2]);
  });

  test('are none where the whole plain time is the budget and nothing is faster, however the sum is rounded', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const ms = (i: number) => 0.1 * ((seed * (i + 1)) % 7) + 0.07 * (i + 1) / seed;
      const layers = [0, 1, 2, 3].map((i) => ({ layer: `${i}`, options: [option(0, ms(i), 2), option(1, 2 * ms(i), 1)] }));
      expect(Object.values(chooseDepths({ layers, restMs: ms(5) }, { latency: 1 }))).toEqual([0, 0, 0, 0]);
    }
  });

  test('lose the least by sensitivities, which may weigh a layer otherwise', () => {
    const sensitivity = { slow: [0, 1, 9], small: [0, 1], large: [0, 5, 0.1] };
    expect(chosen({ latency: 0.6 }, sensitivity)).toEqual([1, 0, 2]);
  });

  test('make the fastest network within a share of the parameters', () => {
    expect(chosen({ params: 1 })).toEqual([2, 0, 2]);
    // 1150 parameters plain: 0.3 leaves 345, which 30 + 20 + 300 exceed.
    expect(() => chosen({ params: 0.3 })).toThrow(/the budget of 345 parameters in convolutions cannot be met: it takes 350 /);
    expect(chosen({ params: 0.31 })).toEqual([2, 1, 2]);
  });

  test.each<[string, () => unknown, RegExp]>([
    ['a budget that nothing meets', () => chosen({ latency: 0.4 }), /the budget of 4\.00 ms cannot be met: it takes 4\.50 ms at least/],
    ['less than what is no convolution', () => chosen({ latency: 0.05 }), /cannot be met/],
    ['a layer without sensitivities', () => checkSensitivity(DEPTHS, { slow: [0, 1, 2], small: [0, 1] }), /large needs a number for each depth from 0 to 2, got undefined/],
    ['too few of them', () => checkSensitivity(DEPTHS, { slow: [0, 1], small: [0, 1], large: [0, 1, 2] }), /slow needs a number for each depth from 0 to 2, got \[0,1\]/],
  ])('are refused for %s', (_, run, message) => {
    expect(run).toThrow(message);
    expect(run).toThrow(expect.objectContaining({ code: 'invalid-argument' satisfies ErrorCode }));
  });
});

test('the depths that a layer can have are those that `compress` takes, the adaptive one among them', () => {
  const graph = createNetwork({ arch: 'resnet50' });
  const feasible = feasibleDepths(graph);
  expect(feasible.size).toBe(53);
  // Three input channels: too few for any identity slice.
  expect(feasible.get('conv1')).toEqual([0, 1]);
  expect(feasible.get('layer4.2.conv2')).toEqual([0, 1, 2, 3]);
  for (const [layer, depths] of feasible) {
    for (const depth of [0, 1, 2, 3]) {
      const attempt = () => compress(graph, { depths: { [layer]: depth } });
      if (depths.includes(depth as 0)) expect(attempt).not.toThrow();
      else expect(attempt).toThrow();
    }
  }
  expect(feasibleDepths(createNetwork({ arch: 'resnet_small14', widths: [5] }), {}).get('conv1')).toEqual([0]);
  expect(feasibleDepths(createNetwork({ arch: 'resnet_small14', widths: [5] }), { shuffleGroups: 1 }).get('conv1')).toEqual([0, 1, 2]);
  const node = graph.nodes.find(({ name }) => name === 'layer4.2.conv2')!;
  if (node.attrs.op !== 'conv2d') throw new Error('a convolution');
  expect(feasible.get('layer4.2.conv2')).toContain(adaptiveDepth({ ...node.attrs, inChannels: 512 }, 128));
});

/** A search that never was, of the small ResNet: one layer at depth 2, the others plain. */
import { feasibleDepths } from '../../../bench/search/measure.ts';
import type { SearchReport } from '../../../bench/search/report.ts';
import { createNetwork } from '../../../src/models/network.ts';

export function madeSearch(deep = 'layer3.1.conv2'): SearchReport {
  const graph = createNetwork({ arch: 'resnet_small14' });
  const layers = [...feasibleDepths(graph)].map(([layer, depths], at) => ({
    layer,
    depth: layer === deep ? (2 as const) : (0 as const),
    options: depths.map((depth) => ({ depth, ms: 1 + at / 10 - depth / 5, dispatches: 1 + depth, macs: 1000 - 100 * depth, params: 100 - 20 * depth })),
  }));
  return {
    kind: 'depth-search',
    format: 1,
    adapter: 'a made-up adapter',
    software: false,
    network: graph.name,
    inputShape: [1, 1, 28, 28],
    budget: { latency: 0.9 },
    objective: 'params',
    depths: Object.fromEntries(layers.map(({ layer, depth }) => [layer, depth])),
    layers,
    restMs: 0.1,
    plain: { macs: 20e6, params: 175e3, predictedMs: 10, measuredMs: 9.5 },
    searched: { macs: 18e6, params: 160e3, predictedMs: 8.9, measuredMs: 8.4 },
  };
}

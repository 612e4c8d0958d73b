/** Depths chosen by what layers take on this adapter: every layer is measured at every depth, whatever it has beside itself. */
import { expect, test } from 'vitest';
import { feasibleDepths, measureLayers, withDepths, type SearchProgress } from '../../../bench/search/measure.ts';
import { searchDepths } from '../../../bench/search/search.ts';
import { networkCost } from '../../../src/graph/cost.ts';
import { createNetwork } from '../../../src/models/network.ts';
import { schedule } from '../../../src/scheduler/schedule.ts';
import { useGpu } from '../../support/gpu.ts';

const gpu = useGpu();
/** A stride, shortcuts with and without a convolution, and one stage whose layers can have any depth. */
const graph = createNetwork({ arch: 'resnet_small14', widths: [8, 24], blocksPerStage: 1 });
const subject = () => ({ engine: gpu.engine, graph, moduleOptions: {}, scheduleOptions: {} });

test('all dispatches of a network are timed with one of its layers', async () => {
  const steps: SearchProgress[] = [];
  const { layers, restMs } = await measureLayers(subject(), { onProgress: (step) => steps.push(step) });
  const feasible = feasibleDepths(graph);
  expect(layers.map(({ layer, options }) => [layer, options.map(({ depth }) => depth)])).toEqual([...feasible]);
  expect(restMs).toBeGreaterThan(0);
  for (const { options } of layers) for (const { ms } of options) expect(ms).toBeGreaterThan(0);
  for (const limit of [0, 3]) {
    const at = ({ options }: (typeof layers)[number]) => options.filter(({ depth }) => depth <= limit).at(-1)!;
    const network = withDepths(graph, Object.fromEntries(layers.map((layer) => [layer.layer, at(layer).depth])), {});
    const { dispatches } = schedule(network, gpu.engine.limits);
    const rest = dispatches.filter(({ layer, kernel }) => !feasible.has(layer) && kernel.name !== 'pointwise');
    expect(layers.reduce((sum, layer) => sum + at(layer).dispatches, rest.length)).toBe(dispatches.length);
    const { macs, params } = networkCost(network).total;
    const others = networkCost(network).layers.filter(({ name }) => !feasible.has(name));
    expect(layers.reduce((sum, layer) => sum + at(layer).macs, others.reduce((sum, layer) => sum + layer.macs, 0))).toBe(macs);
    expect(layers.reduce((sum, layer) => sum + at(layer).params, others.reduce((sum, layer) => sum + layer.params, 0))).toBe(params);
  }
  expect(steps.at(-1)).toMatchObject({ phase: 'layers', done: steps.at(-1)!.total });
});

test('it can be aborted at any step, and frees what it had', async () => {
  for (const stop of [1, 3]) {
    const controller = new AbortController();
    let seen = 0;
    const onProgress = () => void (++seen === stop && controller.abort());
    await expect(searchDepths(subject(), { budget: { latency: 0.9 }, signal: controller.signal, onProgress })).rejects.toMatchObject({ code: 'aborted' });
  }
});

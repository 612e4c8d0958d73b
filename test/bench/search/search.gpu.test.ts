/** Depths chosen by what layers take on this adapter: every layer is measured at every depth, whatever it has beside itself. */
import { expect, test } from 'vitest';
import { feasibleDepths, measureLayers, networksByLimit, withDepths, type SearchProgress } from '../../../bench/search/measure.ts';
import { parseSearch } from '../../../bench/search/report.ts';
import { searchDepths, type SearchOptions } from '../../../bench/search/search.ts';
import { networkCost } from '../../../src/graph/cost.ts';
import { withInputShape, type Graph } from '../../../src/graph/graph.ts';
import { createNetwork } from '../../../src/models/network.ts';
import { choicesOf, isKnown, type TuningRecord } from '../../../src/runtime/tuning-cache.ts';
import { distinctChoices } from '../../../src/scheduler/isolate.ts';
import { schedule, type ScheduleOptions } from '../../../src/scheduler/schedule.ts';
import { tuneNetworks } from '../../../bench/search/tune.ts';
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

test('with a tuning cache every kernel is tuned, at every depth and in what was found, and only what is missing', async () => {
  const small = withInputShape(createNetwork({ arch: 'resnet_small14', widths: [8], blocksPerStage: 1 }), { n: 1, h: 6, w: 6, c: 1 });
  const sensitivity = Object.fromEntries([...feasibleDepths(small).keys()].map((layer) => [layer, [0, 0.1, 0.2, 0.3]]));
  // Without forms: whether those are kept is up to a race of networks, and with them which kernels there are.
  const scheduleOptions: ScheduleOptions = { withoutPasses: ['collapse-modules', 'fuse-tails', 'fuse-modules'] };
  const networks = networksByLimit({ graph: small, moduleOptions: {} });
  const planOf = (network: Graph, choices = new Map<string, string>()) => schedule(network, gpu.engine.limits, { ...scheduleOptions, choices });
  const search = async (options: Partial<SearchOptions>) => searchDepths({ ...subject(), graph: small, scheduleOptions }, { budget: { latency: 1 }, sensitivity, ...options });
  let record: TuningRecord | undefined;
  const cache = { get: async () => record, set: async (_: string, next: TuningRecord) => void (record = next) };
  const phases = new Set<string>();
  const report = await search({ tuning: cache, onProgress: ({ phase }) => phases.add(phase), onWarning: expect.unreachable });
  expect([...phases]).toEqual(['tune', 'layers', 'confirm']);
  const known = new Map(Object.entries(record!.signatures));
  for (const network of [...networks, withDepths(small, report.depths, {})]) {
    const choices = distinctChoices(planOf(network, choicesOf(known)));
    expect(choices.length).toBeGreaterThan(0);
    expect(choices.filter((choice) => !isKnown(choice, known))).toEqual([]);
  }
  for (const { options } of report.layers) for (const { depth, sensitivity } of options) expect(sensitivity).toBe(depth / 10);
  expect(parseSearch(JSON.stringify(report))).toEqual(report);

  // What a cache cannot keep is known to the networks that follow all the same.
  const [{ signature }] = distinctChoices(planOf(networks[0]));
  const { [signature]: _, ...signatures } = record!.signatures;
  const full = { get: async () => ({ adapter: '', signatures }), set: async () => Promise.reject(new Error('full')) };
  const [tuned, warnings]: [(string | undefined)[], string[]] = [[], []];
  const again = await tuneNetworks({ ...subject(), graph: small, scheduleOptions }, networks, {
    cache: full,
    known: new Map(),
    onProgress: ({ work }) => tuned.push(work),
    onWarning: (message) => warnings.push(message),
  });
  // Verified, then timed, once.
  expect(tuned.filter((work) => work !== undefined)).toEqual([signature, signature]);
  expect([...again.keys()].sort()).toEqual([...known.keys()].sort());
  expect(warnings).toEqual(['full']);
});

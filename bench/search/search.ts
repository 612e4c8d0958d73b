/** Depths chosen by measured latency: what each layer takes at each depth on this adapter, and the best choice within a budget. */
import { CompConvError } from '../../src/errors.ts';
import { networkCost } from '../../src/graph/cost.ts';
import { shapeOf, type Graph } from '../../src/graph/graph.ts';
import type { Depth } from '../../src/ops/comp-conv-channels.ts';
import { choicesOf, type TunedSignature, type TuningCache } from '../../src/runtime/tuning-cache.ts';
import { choose } from './choose.ts';
import { feasibleDepths, measureLayers, measureNetworks, networksByLimit, withDepths, type DepthCost, type MeasuredLayers, type SearchHooks, type SearchSubject } from './measure.ts';
import type { Budget, SearchedLayer, SearchedNetwork, SearchReport } from './report.ts';
import { tuneNetworks } from './tune.ts';

/** What depths cost in quality, by layer: a number for each depth from 0 on, the larger the worse. `train/` makes such a file. */
export type Sensitivity = Readonly<Record<string, readonly number[]>>;

export interface SearchOptions extends SearchHooks {
  readonly budget: Budget;
  /** What to keep as much as possible of within a latency budget. Default the parameters. */
  readonly sensitivity?: Sensitivity;
  /** Measure the fastest kernels: what is not in here yet is tuned first, at every depth. Default: the predicted kernels. */
  readonly tuning?: TuningCache;
}

/** @throws invalid-argument for a budget that cannot be met, or sensitivities that do not fit; aborted; what measuring does */
export async function searchDepths(subject: SearchSubject, { budget, sensitivity, tuning, ...hooks }: SearchOptions): Promise<SearchReport> {
  const { engine, graph, moduleOptions } = subject;
  checkBudget(budget);
  if (sensitivity) checkSensitivity(feasibleDepths(graph, moduleOptions), sensitivity);
  let known: ReadonlyMap<string, TunedSignature> = new Map();
  const tuned = async (...graphs: readonly Graph[]): Promise<SearchSubject> => {
    if (!tuning) return subject;
    known = await tuneNetworks(subject, graphs, { cache: tuning, known, ...hooks });
    return { ...subject, scheduleOptions: { ...subject.scheduleOptions, choices: choicesOf(known) } };
  };
  const measured = await measureLayers(await tuned(...networksByLimit(subject)), hooks);
  const depths = chooseDepths(measured, budget, sensitivity);
  const networks = { plain: graph, searched: withDepths(graph, depths, moduleOptions) };
  // Tuned by itself: beside one of another depth, a layer may be work of another signature.
  const times = await measureNetworks(await tuned(networks.searched), new Map(Object.entries(networks)), hooks);
  const describe = (name: keyof typeof networks, depthOf: (layer: string) => Depth): SearchedNetwork => {
    const { macs, params } = networkCost(networks[name]).total;
    return { macs, params, predictedMs: predict(measured, depthOf), measuredMs: times.get(name)! };
  };
  const { n, h, w, c } = shapeOf(graph, graph.input);
  const objective = 'params' in budget ? 'latency' : sensitivity ? 'sensitivity' : 'params';
  return {
    kind: 'depth-search',
    format: 1,
    adapter: engine.adapter.name,
    software: engine.adapter.isSoftware,
    network: graph.name,
    inputShape: [n, c, h, w],
    budget,
    objective,
    depths,
    layers: searchedLayers(measured, depths, objective === 'sensitivity' ? sensitivity : undefined),
    restMs: measured.restMs,
    plain: describe('plain', () => 0),
    searched: describe('searched', (layer) => depths[layer]),
  };
}

/** The depth of each layer, chosen from what was measured. @param sensitivity of every layer at each of its depths. @throws invalid-argument */
export function chooseDepths(measured: MeasuredLayers, budget: Budget, sensitivity?: Sensitivity): Record<string, Depth> {
  const { layers, restMs } = measured;
  let chosen: number[];
  if ('latency' in budget) {
    const worth = (layer: string, { depth, params }: DepthCost) => (sensitivity ? -sensitivity[layer][depth] : params);
    const items = layers.map(({ layer, options }) => options.map((option) => ({ cost: option.ms, worth: worth(layer, option) })));
    // A little more than asked for, so that the whole plain time is enough for the plain network, however sums are rounded.
    const most = (budget.latency + 1e-9) * predict(measured, () => 0) - restMs;
    chosen = choose(items, Math.max(most, 0), (ms) => `${(ms + restMs).toPrecision(3)} ms`);
  } else {
    const items = layers.map(({ options }) => options.map(({ ms, params }) => ({ cost: params, worth: -ms })));
    const plain = layers.reduce((sum, { options }) => sum + options[0].params, 0);
    chosen = choose(items, budget.params * plain, (params) => `${Math.round(params)} parameters in convolutions`);
  }
  return Object.fromEntries(layers.map(({ layer, options }, i) => [layer, options[chosen[i]].depth]));
}

/** What was measured with what came of it. @param sensitivity that decided */
export function searchedLayers({ layers }: MeasuredLayers, depths: Readonly<Record<string, Depth>>, sensitivity?: Sensitivity): SearchedLayer[] {
  return layers.map(({ layer, options }) => ({
    layer,
    depth: depths[layer],
    options: options.map((option) => ({ ...option, ...(sensitivity && { sensitivity: sensitivity[layer][option.depth] }) })),
  }));
}

/** Milliseconds of a network as the sum of its layers. */
function predict({ layers, restMs }: MeasuredLayers, depthOf: (layer: string) => Depth): number {
  return layers.reduce((sum, { layer, options }) => sum + options.find(({ depth }) => depth === depthOf(layer))!.ms, restMs);
}

function checkBudget(budget: Budget): void {
  const [share] = Object.values(budget) as number[];
  if (!(share > 0)) throw new CompConvError('invalid-argument', `a budget is a share of the plain network, above 0, got ${share}`);
}

/** Before anything is measured, which may take minutes. @param depths of each layer, ascending. @throws invalid-argument */
export function checkSensitivity(depths: ReadonlyMap<string, readonly Depth[]>, sensitivity: Sensitivity): void {
  for (const [layer, options] of depths) {
    const values: unknown = Object.hasOwn(sensitivity, layer) ? sensitivity[layer] : undefined;
    const deepest = options[options.length - 1];
    if (!Array.isArray(values) || values.length <= deepest || !values.slice(0, deepest + 1).every(Number.isFinite)) {
      throw new CompConvError('invalid-argument', `sensitivity: ${layer} needs a number for each depth from 0 to ${deepest}, got ${JSON.stringify(values)}`);
    }
  }
}

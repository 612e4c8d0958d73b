/**
 * What each convolution of a network costs on this adapter at each depth that it can have: the dispatches of the layer by themselves, cut
 * out of the plan of a network whose layers all have that depth as far as they can, and timed in turns as the autotuner does.
 */
import { throwIfAborted } from '../../src/errors.ts';
import { networkCost } from '../../src/graph/cost.ts';
import { graphParams, inputShapes, type Graph } from '../../src/graph/graph.ts';
import { compress, type CompConvOptions } from '../../src/models/compress.ts';
import { deepestFeasibleDepth, MAX_DEPTH, type Depth } from '../../src/ops/comp-conv-channels.ts';
import { ConstantStore } from '../../src/runtime/constant-store.ts';
import type { EngineDevice } from '../../src/runtime/device.ts';
import { PacedQueue } from '../../src/runtime/paced-queue.ts';
import { PipelineCache } from '../../src/runtime/pipelines.ts';
import { race } from '../../src/runtime/race.ts';
import { Stopwatch, Trial } from '../../src/runtime/trial.ts';
import { excerpt, wholePlan, type Excerpt } from '../../src/scheduler/isolate.ts';
import { pipelineKey, type Plan } from '../../src/scheduler/plan.ts';
import { schedule, type ScheduleOptions } from '../../src/scheduler/schedule.ts';
import { seededWeights } from '../../src/weights/seeded.ts';

/** Of the modules to choose among. */
export type ModuleOptions = Omit<CompConvOptions, 'c0' | 'depths'>;

export interface SearchSubject {
  readonly engine: EngineDevice;
  /** Plain. */
  readonly graph: Graph;
  readonly moduleOptions: ModuleOptions;
  readonly scheduleOptions: ScheduleOptions;
}

export interface SearchHooks {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: SearchProgress) => void;
  /** Told of what goes wrong without being in the way: a tuning cache that cannot be written. */
  readonly onWarning?: (message: string) => void;
}

/**
 * `done` of `total`: networks to tune, kinds of layers, or rounds of the whole networks, which may end before `total`. What was found
 * is tuned, too, between the last two.
 */
export interface SearchProgress {
  readonly phase: 'tune' | 'layers' | 'confirm';
  readonly done: number;
  readonly total: number;
  /** The layer, or the signature of what is tuned. */
  readonly work?: string;
}

/** A layer at one depth. */
export interface DepthCost {
  readonly depth: Depth;
  /** Of its dispatches, one after the other. */
  readonly ms: number;
  readonly dispatches: number;
  readonly macs: number;
  readonly params: number;
}

export interface MeasuredLayer {
  readonly layer: string;
  /** By depth, the plain convolution first. */
  readonly options: readonly DepthCost[];
}

export interface MeasuredLayers {
  readonly layers: readonly MeasuredLayer[];
  /** What is no convolution: pools, the classifier. */
  readonly restMs: number;
}

/** Depths that each plain convolution of a graph can have, 0 first. A shuffle must divide its channels, or it stays plain. */
export function feasibleDepths(graph: Graph, { shuffleGroups = 2 }: ModuleOptions = {}): ReadonlyMap<string, readonly Depth[]> {
  return new Map(
    graph.nodes.flatMap((node) => {
      const { attrs } = node;
      if (attrs.op !== 'conv2d' || attrs.groups !== 1) return [];
      const conv = { ...attrs, inChannels: inputShapes(graph, node)[0].c };
      const deepest = attrs.outChannels % shuffleGroups === 0 ? MAX_DEPTH : 0;
      const depths = Array.from({ length: deepest + 1 }, (_, limit) => deepestFeasibleDepth(conv, limit));
      return [[node.name, [...new Set(depths)].sort()] as const];
    }),
  );
}

/** The network with these depths. */
export function withDepths(graph: Graph, depths: Readonly<Record<string, number>>, moduleOptions: ModuleOptions): Graph {
  return compress(graph, { ...moduleOptions, depths });
}

/** The network with each layer as deep as it can be up to a limit, by limit from 0 on. */
export function networksByLimit({ graph, moduleOptions }: Pick<SearchSubject, 'graph' | 'moduleOptions'>): Graph[] {
  const feasible = [...feasibleDepths(graph, moduleOptions)];
  return Array.from({ length: MAX_DEPTH + 1 }, (_, limit) => {
    const depths = feasible.map(([layer, each]) => [layer, Math.max(...each.filter((depth) => depth <= limit))]);
    return withDepths(graph, Object.fromEntries(depths), moduleOptions);
  });
}

/** Times every layer at every depth, the same kind of layer once. @throws aborted, gpu-validation, out-of-memory, limit-exceeded */
export async function measureLayers(subject: SearchSubject, { signal, onProgress }: SearchHooks = {}): Promise<MeasuredLayers> {
  const { graph, engine, moduleOptions, scheduleOptions } = subject;
  const feasible = feasibleDepths(graph, moduleOptions);
  const networks = networksByLimit(subject).map((network) => ({
    network,
    plan: schedule(network, engine.limits, scheduleOptions),
    costs: new Map(networkCost(network).layers.map((layer) => [layer.name, layer])),
  }));
  const groups = networks.map(({ plan }) => groupByLayer(plan, feasible));
  const rest = [...groups[0].keys()].filter((layer) => !feasible.has(layer));
  // Layers that are carried out by the same pipelines on the same sizes, at every depth.
  const kinds = new Map<string, string[]>();
  for (const layer of [...feasible.keys(), ...rest]) {
    const key = JSON.stringify(groups.map((group) => (group.get(layer) ?? []).map((dispatch) => [pipelineKey(dispatch), dispatch.sizes, dispatch.workgroups])));
    kinds.set(key, [...(kinds.get(key) ?? []), layer]);
  }

  const clock = new Clock(subject, signal);
  const times = new Map<string, ReadonlyMap<number, number>>();
  try {
    let done = 0;
    for (const layers of kinds.values()) {
      const [layer] = layers;
      onProgress?.({ phase: 'layers', done: done++, total: kinds.size, work: layer });
      const excerpts = new Map((feasible.get(layer) ?? [0]).map((depth) => [depth, excerpt(networks[depth].plan, groups[depth].get(layer)!)]));
      const measured = await clock.race(new Map([...excerpts].map(([depth, plan]) => [String(depth), { plan, graph: networks[depth].network }])), LAYER_RACE);
      for (const name of layers) times.set(name, new Map([...measured].map(([depth, ms]) => [Number(depth), ms])));
    }
    onProgress?.({ phase: 'layers', done, total: kinds.size });
  } finally {
    clock.destroy();
  }
  return {
    layers: [...feasible].map(([layer, depths]) => ({
      layer,
      options: depths.map((depth) => {
        const { macs, params } = networks[depth].costs.get(layer)!;
        return { depth, ms: times.get(layer)!.get(depth)!, dispatches: groups[depth].get(layer)!.length, macs, params };
      }),
    })),
    restMs: rest.reduce((sum, layer) => sum + times.get(layer)!.get(0)!, 0),
  };
}

/** Milliseconds of whole networks on the GPU, in turns. @throws aborted, gpu-validation, out-of-memory, limit-exceeded */
export async function measureNetworks(
  subject: SearchSubject,
  networks: ReadonlyMap<string, Graph>,
  { signal, onProgress }: SearchHooks = {},
): Promise<ReadonlyMap<string, number>> {
  const clock = new Clock(subject, signal);
  try {
    const onRound = (done: number, total: number) => onProgress?.({ phase: 'confirm', done, total });
    const plans = [...networks].map(([name, graph]) => [name, { graph, plan: wholePlan(schedule(graph, subject.engine.limits, subject.scheduleOptions)) }] as const);
    return await clock.race(new Map(plans), { ...NETWORK_RACE, onRound });
  } finally {
    clock.destroy();
  }
}

const LAYER_RACE = { budgetMs: 500, hopeless: Infinity };
const NETWORK_RACE = { budgetMs: 4000, hopeless: Infinity };

/** A plan's dispatches by the convolution that they belong to. What a network without CompConv does elsewhere, too, is a layer of its own. */
function groupByLayer({ dispatches }: Plan, convolutions: ReadonlyMap<string, unknown>): Map<string, Plan['dispatches'][number][]> {
  const groups = new Map<string, Plan['dispatches'][number][]>();
  let last: string | undefined;
  for (const dispatch of dispatches) {
    if (convolutions.has(dispatch.layer)) last = dispatch.layer;
    // BatchNorm, ReLU and additions that could not be fused belong to the convolution before them.
    const isElementwise = dispatch.kernel.name === 'pointwise' && last !== undefined;
    const layer = isElementwise ? last! : dispatch.layer;
    groups.set(layer, [...(groups.get(layer) ?? []), dispatch]);
  }
  return groups;
}

/** Times plans in turns, with weights made up for them. */
class Clock {
  readonly #subject: SearchSubject;
  readonly #signal: AbortSignal | undefined;
  readonly #queue: PacedQueue;
  readonly #pipelines: PipelineCache;
  readonly #stopwatch: Stopwatch;

  constructor(subject: SearchSubject, signal: AbortSignal | undefined) {
    const { engine, scheduleOptions } = subject;
    this.#subject = subject;
    this.#signal = signal;
    this.#queue = new PacedQueue(engine.device);
    this.#pipelines = new PipelineCache(engine.device, scheduleOptions.dtype ?? 'f32');
    this.#stopwatch = new Stopwatch(engine, this.#queue);
  }

  async race(
    plans: ReadonlyMap<string, { readonly plan: Excerpt; readonly graph: Graph }>,
    options: Pick<Parameters<typeof race>[1], 'budgetMs' | 'hopeless' | 'onRound'>,
  ): Promise<Map<string, number>> {
    const { engine } = this.#subject;
    const trials = new Map<string, Trial>();
    const stores: ConstantStore[] = [];
    try {
      for (const [name, { plan, graph }] of plans) {
        // So that Ctrl-C is noticed.
        await new Promise((resolve) => setTimeout(resolve));
        throwIfAborted(this.#signal);
        const constants = new ConstantStore(engine.device, seededWeights(graphParams(graph), 1));
        stores.push(constants);
        const trial = await Trial.prepare(engine, this.#queue, plan, this.#pipelines, constants, this.#signal);
        trials.set(name, trial);
        await trial.run();
      }
      return await race(trials, { stopwatch: this.#stopwatch, hasTimestamps: engine.hasTimestamps, signal: this.#signal, ...options });
    } finally {
      for (const trial of trials.values()) trial.destroy();
      for (const constants of stores) constants.destroy();
    }
  }

  destroy(): void {
    this.#stopwatch.destroy();
  }
}

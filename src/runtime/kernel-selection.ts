/**
 * Which kernels a session takes: those that the scheduler predicts to be fastest, but where, on this adapter, the tuner measured
 * others to be faster, or a self-test found one to compute something else.
 */
import { graphParams } from '../graph/graph.ts';
import { distinctChoices, distinctForms } from '../scheduler/isolate.ts';
import type { Plan } from '../scheduler/plan.ts';
import type { ScheduleOptions } from '../scheduler/schedule.ts';
import { seededWeights } from '../weights/seeded.ts';
import type { AdapterDescription } from './device.ts';
import type { GpuNetwork, Network } from './gpu-network.ts';
import type { SelfTestOptions, SelfTestReport } from './self-test.ts';
import type { TunerOptions, TuningReport } from './tuner.ts';
import { choicesOf, isKnown, lookUp, tuningKey, type TunedSignature, type TuningCache } from './tuning-cache.ts';

export class KernelSelection {
  readonly #network: Network;
  readonly #options: ScheduleOptions;
  /** Of which adapter the following is. */
  #tuningKey: string | undefined;
  #tuned: ReadonlyMap<string, TunedSignature> = new Map();
  /** Kernels to take instead of the predicted ones, by signature. */
  #choices: ReadonlyMap<string, string> = new Map();
  #excluded: ReadonlySet<string> = new Set();
  #isBroken = false;

  /** @param options what is asked for on any adapter */
  constructor(network: Network, { schedule, withoutPasses, forcedPasses }: ScheduleOptions) {
    this.#network = network;
    this.#options = { ...(schedule && { schedule }), ...(withoutPasses && { withoutPasses }), ...(forcedPasses && { forcedPasses }) };
  }

  /** For the next plan. */
  get scheduleOptions(): ScheduleOptions {
    return { ...this.#options, choices: this.#choices, excluded: this.#excluded };
  }

  /** Pipelines that computed something else in a self-test. */
  get excluded(): ReadonlySet<string> {
    return this.#excluded;
  }

  /** Whether a kernel computes something else here, and there is no other one. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Of the kinds of work in a plan that can be done in several ways, how many are tuned. */
  tuned(plan: Plan): { readonly known: number; readonly total: number } {
    const choices = [...distinctForms(plan), ...distinctChoices(plan)];
    return { known: choices.filter((choice) => isKnown(choice, this.#tuned)).length, total: choices.length };
  }

  /** Goes over to another adapter, with what a cache knows of it. The same one again: what was found since then holds, too. */
  async moveTo(adapter: AdapterDescription, cache: TuningCache | undefined): Promise<void> {
    const key = tuningKey(adapter);
    if (key === this.#tuningKey) return;
    const record = cache && (await lookUp(cache, key));
    this.#tuningKey = key;
    this.#excluded = new Set();
    this.#isBroken = false;
    this.#tuned = new Map(Object.entries(record?.signatures ?? {}));
    this.#choices = choicesOf(this.#tuned);
  }

  /** See `Session.selfTest`. */
  async selfTest(placed: GpuNetwork, options: SelfTestOptions): Promise<SelfTestReport> {
    const { selfTest } = await import('./self-test.ts');
    const { engine, queue, pipelines, dtype } = placed;
    const { graph } = this.#network;
    const report = await selfTest({ engine, queue, pipelines, graph, scheduleOptions: { ...this.scheduleOptions, dtype } }, options);
    this.#isBroken = !report.ok;
    if (report.excluded.length !== this.#excluded.size) this.#excluded = new Set(report.excluded);
    return report;
  }

  /** See `Session.tune`. Drops all executors, and leaves constants of kernels that were not chosen. */
  async tune(placed: GpuNetwork, options: Omit<TunerOptions, 'known'> & { readonly signal: AbortSignal }): Promise<TuningReport> {
    const { signal, ...tunerOptions } = options;
    const { engine, queue, pipelines, constants, dtype } = placed;
    const { graph, weights } = this.#network;
    const { tuneNetwork } = await import('./tuner.ts');
    // Their memory is needed; they are made again when they are.
    placed.dropExecutors();
    const { report, known, choices } = await tuneNetwork(
      {
        engine,
        queue,
        graph,
        pipelines,
        constants,
        // Made-up ones measure as well, and reading a file for every candidate would not.
        weights: 'read' in weights ? seededWeights(graphParams(graph), 1) : weights,
        scheduleOptions: { ...this.scheduleOptions, choices: new Map(), dtype },
        signal,
      },
      { ...tunerOptions, known: this.#tuned },
    );
    this.#tuned = known;
    this.#choices = choices;
    return report;
  }
}

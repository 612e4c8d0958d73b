/** Tuning's measurements: the candidates of one kind of work by themselves, and a whole network with and without the choices. */
import { CompConvError, throwIfAborted } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import type { Choice } from '../kernels/kernel.ts';
import { isolate, wholePlan, type Excerpt } from '../scheduler/isolate.ts';
import type { Plan } from '../scheduler/plan.ts';
import { schedule, type ScheduleOptions } from '../scheduler/schedule.ts';
import type { Weights } from '../weights/weights.ts';
import { ConstantStore } from './constant-store.ts';
import type { EngineDevice } from './device.ts';
import type { PacedQueue } from './paced-queue.ts';
import type { PipelineCache } from './pipelines.ts';
import { race, type RaceOptions } from './race.ts';
import { difference, Stopwatch, Trial } from './trial.ts';
import type { TunedSignature } from './tuning-cache.ts';

/** A network on a device, to be tuned. */
export interface TuningSubject {
  readonly engine: EngineDevice;
  readonly queue: PacedQueue;
  readonly graph: Graph;
  readonly weights: Weights;
  readonly scheduleOptions: ScheduleOptions;
  readonly pipelines: PipelineCache;
  /** Those of the session: the whole network's are added to them. */
  readonly constants: ConstantStore;
  readonly signal: AbortSignal | undefined;
}

/** A kernel must take less than so much of the predicted one's time to displace it: noise is no reason. */
const DISPLACES = 0.97;
const SIGNATURE_RACE = { budgetMs: 500, hopeless: 2 };
const NETWORK_RACE = { budgetMs: 4000, hopeless: Infinity };

export class TuningTrials {
  readonly #subject: TuningSubject;
  readonly #stopwatch: Stopwatch;
  /** Plans by rank, for a network's choices: every one's candidate of that rank at once, since making a plan takes a while. */
  readonly #ranked = new WeakMap<readonly Choice[], Map<number, Plan | undefined>>();

  constructor(subject: TuningSubject) {
    this.#subject = subject;
    this.#stopwatch = new Stopwatch(subject.engine, subject.queue);
  }

  destroy(): void {
    this.#stopwatch.destroy();
  }

  /** The plan with kernels taken by signature. */
  plan(choices: ReadonlyMap<string, string> = new Map()): Plan {
    const { graph, engine, scheduleOptions } = this.#subject;
    return schedule(graph, engine.limits, { ...scheduleOptions, choices });
  }

  /**
   * Verifies the candidates, the predicted one first, against it, and times those that pass.
   * @param around what is chosen already of the network
   * @param all every choice of kernels of the network; none for a form
   */
  async measure(choice: Choice, around: ReadonlyMap<string, string>, all: readonly Choice[], onMeasure: () => void): Promise<TunedSignature> {
    const { engine, weights } = this.#subject;
    const trials = new Map<string, Trial>();
    const excluded: Record<string, string> = {};
    // Of its own, so that what is packed for a candidate goes with it.
    const constants = new ConstantStore(engine.device, weights);
    try {
      let expected: Map<string, Float32Array> | undefined;
      for (const [rank, name] of choice.candidates.entries()) {
        await this.#yield();
        try {
          const trial = await this.#prepare(this.#excerpt(choice, rank, around, all), constants);
          trials.set(name, trial);
          const results = await trial.run();
          const problem = difference(results, (expected ??= results), trial.plan.dtype);
          if (problem !== undefined) throw new CompConvError('gpu-validation', problem);
        } catch (error) {
          if (!isOfCandidate(error)) throw error;
          excluded[name] = error.message;
          trials.get(name)?.destroy();
          trials.delete(name);
        }
      }
      onMeasure();
      const times = trials.size === 0 ? new Map<string, number>() : await race(trials, this.#raceOptions(SIGNATURE_RACE));
      return { chosen: choose(choice, times), timesMs: Object.fromEntries(times), excluded };
    } finally {
      for (const trial of trials.values()) trial.destroy();
      constants.destroy();
    }
  }

  /**
   * Times the whole network without choices and with them, if there are any that matter.
   * @returns milliseconds, and what is wrong with the results
   */
  async confirm(
    choices: ReadonlyMap<string, string> | undefined,
    onRound: RaceOptions['onRound'],
  ): Promise<{ readonly before: number; readonly after: number; readonly problem?: string }> {
    const { constants } = this.#subject;
    const trials = new Map<string, Trial>();
    try {
      let expected: Map<string, Float32Array> | undefined;
      let problem: string | undefined;
      for (const [name, plan] of [['before', this.plan()], ...(choices ? [['after', this.plan(choices)] as const] : [])] as const) {
        await this.#yield();
        const trial = await this.#prepare(wholePlan(plan), constants);
        trials.set(name, trial);
        const results = await trial.run();
        problem = difference(results, (expected ??= results), trial.plan.dtype);
      }
      const times = await race(trials, { ...this.#raceOptions(NETWORK_RACE), ...(onRound && { onRound }) });
      const before = times.get('before')!;
      return { before, after: times.get('after') ?? before, ...(problem !== undefined && { problem }) };
    } finally {
      for (const trial of trials.values()) trial.destroy();
    }
  }

  #raceOptions(race: Pick<RaceOptions, 'budgetMs' | 'hopeless'>): RaceOptions {
    const { engine, signal } = this.#subject;
    return { stopwatch: this.#stopwatch, hasTimestamps: engine.hasTimestamps, signal, ...race };
  }

  async #prepare(plan: Excerpt, constants: ConstantStore): Promise<Trial> {
    const { engine, queue, pipelines, signal } = this.#subject;
    return Trial.prepare(engine, queue, plan, pipelines, constants, signal);
  }

  /** The op, or the form's ops, alone, computed by a candidate. @throws limit-exceeded */
  #excerpt(choice: Choice, rank: number, around: ReadonlyMap<string, string>, all: readonly Choice[]): Excerpt {
    const { signature, candidates } = choice;
    const alone = () => isolate(this.plan(new Map([...around, [signature, candidates[rank]]])), signature);
    const plans = this.#ranked.get(all) ?? new Map<number, Plan | undefined>();
    this.#ranked.set(all, plans);
    if (all.length > 0 && !plans.has(rank)) {
      let plan: Plan | undefined;
      try {
        const other = ({ signature, candidates }: Choice) => [signature, candidates[Math.min(rank, candidates.length - 1)]] as const;
        plan = this.plan(new Map([...around, ...all.map(other)]));
      } catch (error) {
        // Some candidate of that rank: each gets a plan of its own, and the one that fails says why.
        if (!isOfCandidate(error)) throw error;
      }
      plans.set(rank, plan);
    }
    const ranked = plans.get(rank);
    const excerpt = (ranked && isolate(ranked, signature)) ?? alone();
    if (!excerpt) throw new CompConvError('limit-exceeded', `${candidates[rank]} is not in the plan`);
    return excerpt;
  }

  /** So that a page stays responsive and an abort is noticed. @throws aborted */
  async #yield(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve));
    throwIfAborted(this.#subject.signal);
  }
}

/** Whether an error says that a candidate cannot be used here, and nothing worse. */
function isOfCandidate(error: unknown): error is CompConvError {
  return error instanceof CompConvError && ['gpu-validation', 'out-of-memory', 'limit-exceeded'].includes(error.code);
}

function choose({ candidates: [predicted] }: Choice, times: ReadonlyMap<string, number>): string {
  if (times.size === 0) return predicted;
  const [best, ms] = [...times].reduce((a, b) => (b[1] < a[1] ? b : a));
  const toBeat = times.get(predicted);
  return toBeat === undefined || ms < DISPLACES * toBeat ? best : predicted;
}

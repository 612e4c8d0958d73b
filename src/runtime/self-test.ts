/**
 * The self-test: every kernel variant of a network's plan against the CPU, on the adapter at hand. Drivers have bugs, and a wrong
 * result looks like any other. A variant, a kernel with its overrides, is one pipeline; each is tried where it has the least to do,
 * by itself, on made-up inputs and weights, so that neither the network's weights nor its activations are needed.
 *
 * A variant that computes something else is excluded: the plan is made anew without it, and what is new in that is tried as well,
 * until all is right or there is no other way. What another image size would need besides is not tried.
 */
import { CompConvError, throwIfAborted } from '../errors.ts';
import { graphParams, type Graph } from '../graph/graph.ts';
import type { Dispatch } from '../kernels/kernel.ts';
import { uses } from '../scheduler/avoid.ts';
import { expandModules } from '../scheduler/expand-modules.ts';
import { selfContained, type Excerpt } from '../scheduler/isolate.ts';
import { pipelineKey, type Plan } from '../scheduler/plan.ts';
import { schedule } from '../scheduler/schedule.ts';
import { seededWeights } from '../weights/seeded.ts';
import type { Weights } from '../weights/weights.ts';
import { comparePoints, type Comparison } from './check-points.ts';
import { ConstantStore } from './constant-store.ts';
import { dispatchWork } from './pace.ts';
import { Trial } from './trial.ts';
import type { TuningSubject } from './tuning-trials.ts';

/** A network on a device, to be tried. `scheduleOptions` are those of its plan, choices included. */
export type SelfTestSubject = Pick<TuningSubject, 'engine' | 'queue' | 'graph' | 'scheduleOptions' | 'pipelines'>;

/** `done` variants of `total`, which grows where one fails and others take its place. */
export interface SelfTestProgress {
  readonly done: number;
  readonly total: number;
  /** The one that is tried next. */
  readonly variant?: string;
}

/** For `Session.selfTest`. */
export interface SelfTestOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SelfTestProgress) => void) | undefined;
}

/** What was found out about one variant. */
export interface VariantReport {
  /** Its kernel, with what it is compiled with. */
  readonly variant: string;
  readonly kernel: string;
  /** The layer that it was tried on. */
  readonly layer: string;
  readonly status: 'passed' | 'failed';
  /** Elements compared with the CPU. */
  readonly elements: number;
  /** The largest error next to what is tolerated, at most 1 where it passed; absent if a result is not finite, or there is none. */
  readonly worst?: number;
  /** What is wrong: the first such element, or why it cannot run. */
  readonly problem?: string;
  /** The kernels that carry out the layer instead; absent where there is no other way. */
  readonly replacement?: readonly string[];
}

/** What a self-test found; plain data. */
export interface SelfTestReport {
  /** Name of the adapter. */
  readonly adapter: string;
  /** Name of the network. */
  readonly network: string;
  /** Whether every variant of the plan without the excluded ones passed. If not, results are not to be trusted. */
  readonly ok: boolean;
  readonly variants: readonly VariantReport[];
  /** Those that failed now or before: `ScheduleOptions.excluded` from now on. */
  readonly excluded: readonly string[];
  readonly elapsedMs: number;
}

const SEED = 3;
/** What a byte of constants takes to be made up, packed and read by the CPU's reference, as work of a slow adapter (see `pace.ts`). */
const WORK_PER_BYTE = 25;

/** Tries every variant of the network's plan. @throws aborted, out-of-memory; whatever the device's end is */
export async function selfTest(subject: SelfTestSubject, { signal, onProgress }: SelfTestOptions = {}): Promise<SelfTestReport> {
  const { graph, engine, scheduleOptions } = subject;
  const begin = performance.now();
  const expanded = expandModules(graph);
  const weights = seededWeights(graphParams(graph), SEED);
  const excluded = new Set(scheduleOptions.excluded);
  const reports = new Map<string, VariantReport>();
  let plan: Plan;
  for (let hasFailed = true; hasFailed; ) {
    plan = schedule(graph, engine.limits, { ...scheduleOptions, excluded });
    hasFailed = false;
    const untried = variantsOf(plan, expanded).filter(({ variant }) => !reports.has(variant) && !excluded.has(variant));
    const total = reports.size + untried.length;
    for (const { variant, dispatch, excerpt } of untried) {
      // Its results would be those of the one that failed: next time, in a plan without that.
      if (uses(excerpt.dispatches, excluded)) continue;
      onProgress?.({ done: reports.size, total, variant });
      // So that a page stays responsive and an abort is noticed.
      await new Promise((resolve) => setTimeout(resolve));
      throwIfAborted(signal);
      const { elements, worst, problem } = await tryOut(subject, excerpt, expanded, weights, signal);
      reports.set(variant, {
        variant,
        kernel: dispatch.kernel.name,
        layer: dispatch.layer,
        status: problem === undefined ? 'passed' : 'failed',
        elements,
        ...(Number.isFinite(worst) && { worst }),
        ...(problem !== undefined && { problem }),
      });
      if (problem === undefined) continue;
      excluded.add(variant);
      hasFailed = true;
    }
  }
  onProgress?.({ done: reports.size, total: reports.size });
  return {
    adapter: engine.adapter.name,
    network: graph.name,
    ok: !uses(plan!.dispatches, excluded),
    variants: [...reports.values()].map((report) => withReplacement(report, plan)),
    excluded: [...excluded],
    elapsedMs: performance.now() - begin,
  };
}

interface Variant {
  readonly variant: string;
  readonly dispatch: Dispatch;
  readonly excerpt: Excerpt;
}

/** Each variant of a plan, on the layer where it takes the fewest other variants and then the least work, the CPU's part in it; by themselves first. */
function variantsOf(plan: Plan, { shapes }: Graph): Variant[] {
  const excerpts = new Map<string, Excerpt>();
  const best = new Map<string, Variant & { others: number; work: number }>();
  for (const dispatch of plan.dispatches) {
    const { label } = dispatch;
    const variant = pipelineKey(dispatch);
    const excerpt = excerpts.get(label) ?? selfContained(plan, label, shapes);
    excerpts.set(label, excerpt);
    const others = new Set(excerpt.dispatches.map(pipelineKey)).size - 1;
    const bytes = [...excerpt.constants.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    const work = excerpt.dispatches.reduce((sum, each) => sum + dispatchWork(plan, each), 0) + WORK_PER_BYTE * bytes;
    const known = best.get(variant);
    if (!known || others < known.others || (others === known.others && work < known.work)) {
      best.set(variant, { variant, dispatch, excerpt, others, work });
    }
  }
  return [...best.values()].sort((a, b) => a.others - b.others);
}

/** Runs it once and compares; what the GPU refuses is wrong, too. */
async function tryOut(
  { engine, queue, pipelines }: SelfTestSubject,
  excerpt: Excerpt,
  expanded: Graph,
  weights: Weights,
  signal: AbortSignal | undefined,
): Promise<Comparison> {
  const constants = new ConstantStore(engine.device, weights);
  let trial: Trial | undefined;
  try {
    trial = await Trial.prepare(engine, queue, excerpt, pipelines, constants, signal);
    return comparePoints(excerpt, expanded, weights, await trial.run());
  } catch (error) {
    if (!(error instanceof CompConvError) || error.code !== 'gpu-validation') throw error;
    return { elements: 0, worst: NaN, problem: error.message };
  } finally {
    trial?.destroy();
    constants.destroy();
  }
}

function withReplacement(report: VariantReport, { dispatches }: Plan): VariantReport {
  const isUsed = dispatches.some((dispatch) => pipelineKey(dispatch) === report.variant);
  if (report.status === 'passed' || isUsed) return report;
  const replacement = new Set(dispatches.filter(({ layer }) => layer === report.layer).map(({ kernel }) => kernel.name));
  return { ...report, replacement: [...replacement] };
}

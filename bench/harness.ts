/**
 * The benchmark: networks side by side on one adapter, on seeded weights, in a browser and in Node alike. In this
 * order: load, verify, warm up, measure in turns, report. A network that fails verification is not timed.
 *
 * It prints nothing; `cli/commands/bench.ts` does.
 */
import { CompConvError, throwIfAborted } from '../src/errors.ts';
import { shapeOf, withInputShape } from '../src/graph/graph.ts';
import { seededModel, type NetworkModel } from '../src/models/load-model.ts';
import { nativeInputSize, type NetworkOptions } from '../src/models/network.ts';
import { runReference, toTensor } from '../src/reference/run.ts';
import type { DeviceOptions } from '../src/runtime/device.ts';
import { createSession, type Session } from '../src/runtime/session.ts';
import type { TuningCache } from '../src/runtime/tuning-cache.ts';
import { summarizePlan, type ScheduleName } from '../src/scheduler/plan.ts';
import { elementCount, type Tensor } from '../src/tensor/tensor.ts';
import { seededUniform } from '../src/weights/seeded.ts';
import type { BenchReport, BenchResult, LoadTimes } from './report.ts';
import { isSteady, relativeL2, summarize } from './statistics.ts';

export type { BenchReport, BenchResult, LoadTimes } from './report.ts';

export interface BenchNetwork {
  /** What to call it in the report. */
  readonly label: string;
  readonly options: NetworkOptions;
}

/** `device` and `gpu` say what to run on; an `adapter` gives one device only, so that it serves one network only. */
export interface BenchOptions extends DeviceOptions {
  /** Speed-ups are against the first one. */
  readonly networks: readonly BenchNetwork[];
  /** Height and width of the input. Default what the first architecture was made for. */
  readonly size?: number;
  /** Default 1. */
  readonly batch?: number;
  /** Measured runs of each network. Default 10. */
  readonly runs?: number;
  /** Of weights and input. Default 1. */
  readonly seed?: number;
  /** Default `optimized`. */
  readonly schedule?: ScheduleName;
  /** Where each session looks for kernels to take: see `SessionOptions`. Default nowhere. */
  readonly tuning?: TuningCache;
  /** Called with each session before it runs; what it throws ends the benchmark. */
  readonly onSession?: (session: Session) => void;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: BenchProgress) => void;
  /** Goes into the report as it is: versions of what the engine runs on. */
  readonly versions?: Readonly<Record<string, string>>;
}

export interface BenchProgress {
  readonly phase: 'load' | 'verify' | 'warm-up' | 'measure';
  /** The network's label. */
  readonly label: string;
  /** Runs done of `total`, in the phases that count them. */
  readonly done?: number;
  readonly total?: number;
}

/** What float32 must reach against the reference's float64, as against PyTorch. */
const VERIFY_TOLERANCE = 1e-5;
/** Large enough for every architecture, small enough for the reference's plain loops. */
const VERIFY_SIZE = 64;
const MAX_WARM_UP_RUNS = 5;

interface Entrant {
  readonly label: string;
  readonly model: NetworkModel;
  readonly session: Session;
  readonly input: Tensor;
  /** First output for `input`, which every later one must repeat. */
  readonly firstOutput: Tensor;
  readonly load: LoadTimes;
  readonly latenciesMs: number[];
  readonly gpuTimesMs: number[];
  relativeError: number;
  warmUpRuns: number;
  problem: string | undefined;
}

/**
 * Measures the networks.
 * @throws invalid-argument for bad options; aborted; whatever `createSession` and `run` throw.
 */
export async function runBenchmark(options: BenchOptions): Promise<BenchReport> {
  const { networks, runs = 10, batch = 1, seed = 1, schedule = 'optimized', signal, onProgress, versions = {} } = options;
  if (networks.length === 0) throw new CompConvError('invalid-argument', 'benchmark: there is no network to measure');
  if (!(Number.isInteger(runs) && runs >= 1))
    throw new CompConvError('invalid-argument', `benchmark: runs must be at least 1, got ${runs}`);
  const size = options.size ?? nativeInputSize(networks[0].options.arch);
  const verifySize = Math.min(size, VERIFY_SIZE);
  const entrants: Entrant[] = [];
  try {
    for (const { label, options: network } of networks) {
      throwIfAborted(signal);
      onProgress?.({ phase: 'load', label });
      entrants.push(await enter(label, seededModel(network, seed, { batch, height: size }), seed, options));
    }
    for (const entrant of entrants) {
      throwIfAborted(signal);
      onProgress?.({ phase: 'verify', label: entrant.label });
      // The reference blocks: the progress gets a chance to be seen first.
      await new Promise((resolve) => setTimeout(resolve));
      await verify(entrant, verifySize, seed);
    }
    const verified = entrants.filter(({ problem }) => problem === undefined);
    for (const entrant of verified) await warmUp(entrant, options);
    // In turns, so that whatever else the machine does hits all of them alike.
    for (let run = 0; run < runs; run++) {
      for (const entrant of verified) {
        throwIfAborted(signal);
        onProgress?.({ phase: 'measure', label: entrant.label, done: run, total: runs });
        await measure(entrant);
      }
    }
    return report(entrants, { versions, seed, runs, schedule, tuned: options.tuning !== undefined, verifySize });
  } finally {
    for (const { session } of entrants) session.dispose();
  }
}

/** Loads a network and runs it once, which is timed. */
async function enter(label: string, model: NetworkModel, seed: number, options: BenchOptions): Promise<Entrant> {
  const { device, adapter, gpu, powerPreference, signal, schedule, tuning, onSession } = options;
  const input = seededInput(model, seed);
  const start = performance.now();
  const last = { upload: 0, compile: 0 };
  const session = await createSession(model, {
    ...(device && { device }),
    ...(adapter && { adapter }),
    ...(gpu && { gpu }),
    ...(powerPreference && { powerPreference }),
    ...(signal && { signal }),
    ...(schedule && { schedule }),
    ...(tuning && { tuning }),
    onProgress: ({ phase }) => (last[phase] = performance.now() - start),
  });
  try {
    onSession?.(session);
    const sessionMs = performance.now() - start;
    const { output, latencyMs } = await session.runTimed(input);
    const load = {
      uploadMs: last.upload,
      compileMs: last.compile,
      sessionMs,
      firstRunMs: latencyMs,
      totalMs: sessionMs + latencyMs,
    };
    const measured = { latenciesMs: [], gpuTimesMs: [], relativeError: NaN, warmUpRuns: 0, problem: undefined };
    return { label, model, session, input, firstOutput: output, load, ...measured };
  } catch (error) {
    session.dispose();
    throw error;
  }
}

function seededInput({ graph }: NetworkModel, seed: number): Tensor {
  const { n, h, w, c } = shapeOf(graph, graph.input);
  const shape = [n, c, h, w];
  return { shape, data: seededUniform(seed, 'input', elementCount(shape), -1, 1) };
}

/** Compares the logits of a small input with the reference's. Same session: the same weights and pipelines. */
async function verify(entrant: Entrant, size: number, seed: number): Promise<void> {
  const { model, session, firstOutput } = entrant;
  const { c } = shapeOf(model.graph, model.graph.input);
  const graph = withInputShape(model.graph, { n: 1, h: size, w: size, c });
  const input = seededInput({ ...model, graph }, seed);
  const expected = toTensor(runReference(graph, model.weights, input).get(graph.output)!);
  const actual = await session.run(input);
  entrant.relativeError = relativeL2(actual.data, expected.data);
  if (!(entrant.relativeError <= VERIFY_TOLERANCE)) {
    const error = entrant.relativeError.toExponential(1);
    entrant.problem = `relative error ${error} against the CPU reference is above ${VERIFY_TOLERANCE.toExponential(0)}`;
  } else if (!firstOutput.data.every(Number.isFinite) || firstOutput.data.every((value) => value === 0)) {
    entrant.problem = 'the output at full size is not finite, or all zero';
  }
}

/** Runs until two runs in a row take about as long, or a few times at most. */
async function warmUp(entrant: Entrant, { signal, onProgress }: BenchOptions): Promise<void> {
  let before: number | undefined;
  while (entrant.warmUpRuns < MAX_WARM_UP_RUNS) {
    throwIfAborted(signal);
    onProgress?.({ phase: 'warm-up', label: entrant.label, done: entrant.warmUpRuns, total: MAX_WARM_UP_RUNS });
    const { latencyMs } = await entrant.session.runTimed(entrant.input);
    entrant.warmUpRuns++;
    if (before !== undefined && isSteady(before, latencyMs)) break;
    before = latencyMs;
  }
}

async function measure(entrant: Entrant): Promise<void> {
  const { output, latencyMs, gpuTimeMs } = await entrant.session.runTimed(entrant.input);
  // A run that computes something else is no run: the time of a mistake is worth nothing.
  if (!(relativeL2(output.data, entrant.firstOutput.data) <= VERIFY_TOLERANCE)) {
    entrant.problem = 'a measured run gave another output than the first one';
  }
  entrant.latenciesMs.push(latencyMs);
  if (gpuTimeMs !== undefined) entrant.gpuTimesMs.push(gpuTimeMs);
}

function report(
  entrants: readonly Entrant[],
  { versions, seed, runs, schedule, tuned, verifySize }: Pick<BenchReport, 'versions' | 'seed' | 'runs' | 'schedule' | 'tuned' | 'verifySize'>,
): BenchReport {
  const results: BenchResult[] = [];
  for (const entrant of entrants) results.push(result(entrant, results[0]));
  const { adapter } = entrants[0].session;
  return {
    adapter: adapter.name,
    software: adapter.isSoftware,
    versions,
    inputShape: entrants[0].input.shape,
    seed,
    runs,
    schedule,
    tuned,
    verifySize,
    verifyTolerance: VERIFY_TOLERANCE,
    networks: results,
  };
}

/** @param first the first network's result; undefined for the first network itself */
function result(entrant: Entrant, first: BenchResult | undefined): BenchResult {
  const { label, model, session, load, latenciesMs, gpuTimesMs, relativeError, warmUpRuns, problem } = entrant;
  const { macs, params } = session.cost.total;
  const { dispatches, pipelines, activationBytes, constantBytes } = summarizePlan(session.plan);
  const about = {
    label,
    network: model.graph.name,
    options: model.options,
    macs,
    params,
    dispatches,
    pipelines,
    weightBytes: constantBytes,
    activationBytes,
    relativeError: Number.isFinite(relativeError) ? relativeError : null,
    macsRatio: (first?.macs ?? macs) / macs,
  };
  if (problem !== undefined) return { ...about, verified: false, problem };
  const latencyMs = summarize(latenciesMs);
  const against = first ? first.latencyMs?.median : latencyMs.median;
  return {
    ...about,
    verified: true,
    load,
    warmUpRuns,
    latencyMs,
    // Fewer where the clock stood still in between.
    ...(gpuTimesMs.length > 0 && { gpuTimeMs: summarize(gpuTimesMs) }),
    ...(against !== undefined && { speedUp: against / latencyMs.median }),
  };
}

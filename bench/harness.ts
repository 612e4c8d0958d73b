/**
 * The benchmark: networks side by side on one adapter, on seeded weights, in a browser and in Node alike. In this
 * order: the adapter's limits, load, verify, then what the sections ask for. What fails verification is not timed.
 *
 * It prints nothing; `cli/commands/bench.ts` does.
 */
import { CompConvError, throwIfAborted } from '../src/errors.ts';
import { nativeInputSize } from '../src/models/network.ts';
import { openDevice, type AdapterDescription, type EngineDevice } from '../src/runtime/device.ts';
import { describeEntrant, enter, sessionOptions, verify, VERIFY_TOLERANCE, type Entrant } from './entrant.ts';
import { measureLayers } from './layers.ts';
import { measureLimits } from './limits.ts';
import type { BenchOptions } from './options.ts';
import type { AdapterLimits, BenchReport, BenchResult, LayersReport, ReportOptions, ScalingReport } from './report.ts';
import { measureScaling } from './scaling.ts';
import { measureTimes } from './times.ts';

export type { BenchNetwork, BenchOptions, BenchProgress, BenchSection } from './options.ts';
export type { BenchReport, BenchResult, LoadTimes } from './report.ts';

/** MACs per image up to which the reference's plain loops are worth the wait: ten seconds or so. */
const VERIFY_MACS = 5e9;
/** Larger networks are verified at this size: large enough for every architecture. */
const VERIFY_SIZE = 64;

/**
 * Measures the networks.
 * @throws invalid-argument for bad options; aborted; whatever `createSession` and `run` throw.
 */
export async function runBenchmark(options: BenchOptions): Promise<BenchReport> {
  const asked = checkedOptions(options);
  const date = new Date().toISOString();
  const { sections } = asked;
  let limits: AdapterLimits | undefined;
  let adapter: AdapterDescription | undefined;
  if (sections.includes('adapter') || sections.includes('layers')) {
    await withDevice(options, async (engine) => {
      adapter = engine.adapter;
      limits = await measureLimits(engine, options);
    });
  }
  const report = (entrants: readonly Entrant[], networks: readonly BenchResult[]): BenchReport => ({
    format: 1,
    date,
    adapter: adapter ?? entrants[0].session.adapter,
    versions: options.versions ?? {},
    options: asked,
    ...(limits && { limits }),
    ...(entrants.length > 0 && {
      inputShape: entrants[0].input.shape,
      verifySize: verifySize(entrants, asked),
      verifyTolerance: VERIFY_TOLERANCE[entrants[0].session.dtype],
    }),
    networks,
  });
  if (sections.every((section) => section === 'adapter')) return report([], []);
  const entrants: Entrant[] = [];
  try {
    await loadAndVerify(entrants, asked, options);
    return report(entrants, await measure(entrants, limits, asked, options));
  } finally {
    for (const { session } of entrants) session.dispose();
  }
}

/** The options with their defaults. @throws invalid-argument */
function checkedOptions(options: BenchOptions): ReportOptions {
  const { networks, sections = ['times'], runs = 10, batch = 1, seed = 1, schedule = 'optimized', withoutPasses = [], dtype = 'f32' } = options;
  if (networks.length === 0) throw new CompConvError('invalid-argument', 'benchmark: there is no network to measure');
  if (sections.length === 0) throw new CompConvError('invalid-argument', 'benchmark: there is nothing to measure');
  if (!(Number.isInteger(runs) && runs >= 1))
    throw new CompConvError('invalid-argument', `benchmark: runs must be at least 1, got ${runs}`);
  const size = options.size ?? nativeInputSize(networks[0].options.arch);
  return { sections, networks, size, batch, runs, seed, schedule, withoutPasses, dtype, tuned: options.tuning !== undefined };
}

/** The size that is timed, if the reference can compute all networks at it within reason. */
function verifySize(entrants: readonly Entrant[], { size, batch }: ReportOptions): number {
  const largest = Math.max(...entrants.map(({ session }) => session.cost.total.macs / batch));
  return largest <= VERIFY_MACS ? size : Math.min(size, VERIFY_SIZE);
}

/** Fills `entrants`, whose sessions are the caller's to dispose of even if this fails. */
async function loadAndVerify(entrants: Entrant[], asked: ReportOptions, options: BenchOptions): Promise<void> {
  const { signal, onProgress } = options;
  for (const network of asked.networks) {
    throwIfAborted(signal);
    onProgress?.({ phase: 'load', label: network.label });
    entrants.push(await enter(network, asked, options));
  }
  const size = verifySize(entrants, asked);
  for (const entrant of entrants) {
    throwIfAborted(signal);
    onProgress?.({ phase: 'verify', label: entrant.label });
    // The reference blocks: the progress gets a chance to be seen first.
    await new Promise((resolve) => setTimeout(resolve));
    await verify(entrant, size, asked.seed);
  }
}

/** What the sections ask for, of every network that was verified. */
async function measure(
  entrants: readonly Entrant[],
  limits: AdapterLimits | undefined,
  { sections, runs, seed }: ReportOptions,
  options: BenchOptions,
): Promise<BenchResult[]> {
  const verified = entrants.filter(({ problem }) => problem === undefined);
  const times = sections.includes('times') ? await measureTimes(verified, runs, options) : undefined;
  const layers = new Map<Entrant, LayersReport>();
  const scaling = new Map<Entrant, ScalingReport>();
  for (const entrant of verified) {
    const { label, model, session } = entrant;
    if (limits && sections.includes('layers')) {
      const network = { label, plan: session.plan, weights: model.weights };
      await withDevice(options, async (engine) => {
        layers.set(entrant, await measureLayers(engine, network, limits, options));
      });
    }
    if (sections.includes('scaling')) scaling.set(entrant, await measureScaling(entrant, runs, seed, options));
  }
  const against = times?.get(entrants[0])?.latencyMs.median;
  return entrants.map((entrant): BenchResult => {
    const about = describeEntrant(entrant, entrants[0]);
    const { problem, load } = entrant;
    if (problem !== undefined) return { ...about, verified: false, problem };
    const own = times?.get(entrant);
    const isComparable = against !== undefined && entrants[0].problem === undefined;
    return {
      ...about,
      verified: true,
      load,
      ...own,
      ...(own && isComparable && { speedUp: against / own.latencyMs.median }),
      ...(layers.has(entrant) && { layers: layers.get(entrant) }),
      ...(scaling.has(entrant) && { scaling: scaling.get(entrant) }),
    };
  });
}

/** A device of its own for `work`; sessions have theirs. */
async function withDevice(options: BenchOptions, work: (engine: EngineDevice) => Promise<void>): Promise<void> {
  const engine = await openDevice(sessionOptions(options));
  try {
    await work(engine);
  } finally {
    engine.release();
  }
}

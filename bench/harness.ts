/**
 * The benchmark: networks side by side on one adapter, on seeded weights, in a browser and in Node alike. In this
 * order: the adapter's limits, load, verify, other engines, then what the sections ask for. What fails verification is not
 * timed.
 *
 * It prints nothing; `cli/commands/bench.ts` and the page do.
 */
import { CompConvError, throwIfAborted } from '../src/errors.ts';
import { openDevice, type AdapterDescription, type EngineDevice } from '../src/runtime/device.ts';
import { problemOf, type Contestant } from './contestant.ts';
import { describeEntrant, enter, isEntrant, sessionOptions, verify, type Absentee, type Entrant } from './entrant.ts';
import { measureLayers } from './layers.ts';
import { measureLimits } from './limits.ts';
import type { BenchOptions } from './options.ts';
import { PeerEntrants } from './peer-entrants.ts';
import type { AdapterLimits, BenchReport, BenchResult, PeerResult, ReportOptions, Times } from './report.ts';
import { measureScaling } from './scaling.ts';
import { measureTimes } from './times.ts';

export type { BenchNetwork, BenchOptions, BenchProgress, BenchSection } from './options.ts';
export type { BenchReport, BenchResult, LoadTimes } from './report.ts';

/**
 * Measures the networks.
 * @throws invalid-argument, invalid-graph for bad options; aborted; webgpu-unavailable, device-lost.
 */
export async function runBenchmark(options: BenchOptions): Promise<BenchReport> {
  const asked = checkedOptions(options);
  const date = new Date().toISOString();
  const { sections } = asked;
  let limits: AdapterLimits | undefined;
  let adapter: AdapterDescription | undefined;
  await withDevice(options, async (engine) => {
    adapter = engine.adapter;
    if (sections.includes('adapter') || sections.includes('layers')) limits = await measureLimits(engine, options);
  });
  const measured = sections.every((section) => section === 'adapter') ? { networks: [] } : await measureNetworks(asked, limits, options);
  return {
    format: 2,
    date,
    adapter: adapter!,
    versions: options.versions ?? {},
    options: asked,
    ...(limits && { limits }),
    ...measured,
  };
}

/** The options with their defaults. @throws invalid-argument */
function checkedOptions(options: BenchOptions): ReportOptions {
  const { sections = ['times'], peers = [], size, runs = 10, batch = 1, seed = 1, schedule = 'optimized', withoutPasses = [], forcedPasses = [], dtype = 'f32' } = options;
  const problem = (what: string) => new CompConvError('invalid-argument', `benchmark: ${what}`);
  const labels = options.networks.map(({ label }) => label);
  if (labels.length === 0) throw problem('there is no network to measure');
  const twice = labels.find((label, i) => labels.indexOf(label) !== i);
  if (twice !== undefined) throw problem(`two networks are called ${JSON.stringify(twice)}`);
  const stray = options.networks.find(({ baseline }) => baseline !== undefined && !labels.includes(baseline));
  if (stray) throw problem(`${stray.label} is to be compared with ${JSON.stringify(stray.baseline)}, which is not measured`);
  if (sections.length === 0) throw problem('there is nothing to measure');
  if (!(Number.isInteger(runs) && runs >= 1)) throw problem(`runs must be at least 1, got ${runs}`);
  if (peers.length > 0 && !options.openPeer) throw problem('other engines run in a browser only');
  if (peers.length > 0 && !sections.includes('times')) throw problem('other engines are measured with section times only');
  const networks = options.networks.map((network) => ({ ...network, baseline: network.baseline ?? labels[0] }));
  return {
    sections,
    networks,
    peers,
    ...(size !== undefined && { size }),
    batch,
    runs,
    seed,
    schedule,
    withoutPasses,
    forcedPasses,
    dtype,
    tuned: options.tuning !== undefined,
  };
}

async function measureNetworks(
  asked: ReportOptions,
  limits: AdapterLimits | undefined,
  options: BenchOptions,
): Promise<{ networks: BenchResult[]; peers?: PeerResult[] }> {
  const candidates: (Entrant | Absentee)[] = [];
  const peers = new PeerEntrants();
  try {
    for (const network of asked.networks) {
      throwIfAborted(options.signal);
      candidates.push(await enter(network, asked, options));
    }
    const entrants = candidates.filter(isEntrant);
    for (const entrant of entrants) {
      throwIfAborted(options.signal);
      options.onProgress?.({ phase: 'verify', label: entrant.label });
      await verify(entrant, asked.seed, options);
    }
    const verified = entrants.filter(({ problem }) => problem === undefined);
    await peers.enter(asked.peers, verified, options);
    const contestants = [...verified, ...peers.contestants];
    const times = asked.sections.includes('times') ? await measureTimes(contestants, asked.runs, options) : new Map<Contestant, Times>();
    // Gone before layers are measured: their threads and memory would be in the way.
    await peers.dispose();
    const networks: BenchResult[] = [];
    for (const candidate of candidates) networks.push(await result(candidate, candidates, times, { asked, limits, options }));
    return { networks, ...(asked.peers.length > 0 && { peers: peers.results(times) }) };
  } finally {
    await peers.dispose();
    for (const candidate of candidates) if (isEntrant(candidate)) candidate.session.dispose();
  }
}

/** All about one network, with what the sections ask for beyond times. */
async function result(
  candidate: Entrant | Absentee,
  candidates: readonly (Entrant | Absentee)[],
  times: ReadonlyMap<Contestant, Times>,
  { asked, limits, options }: { asked: ReportOptions; limits: AdapterLimits | undefined; options: BenchOptions },
): Promise<BenchResult> {
  const { network, problem } = candidate;
  const baseline = candidates.find((other) => other.network.label === network.baseline)!;
  const about = describeEntrant(candidate, baseline);
  if (problem !== undefined || !isEntrant(candidate)) return { ...about, verified: false, problem };
  const { label, model, session, load } = candidate;
  const own = times.get(candidate);
  const against = isEntrant(baseline) ? times.get(baseline) : undefined;
  let layers: BenchResult['layers'];
  let layersProblem: string | undefined;
  if (limits && asked.sections.includes('layers')) {
    const subject = { label, plan: session.plan, weights: model.weights };
    try {
      await withDevice(options, async (engine) => {
        layers = await measureLayers(engine, subject, limits, options);
      });
    } catch (error) {
      layersProblem = problemOf(error);
    }
  }
  const scaling = asked.sections.includes('scaling') && (await measureScaling(candidate, asked.runs, asked.seed, options));
  return {
    ...about,
    verified: true,
    load,
    ...(own && { times: own }),
    ...(own && against && { speedUp: against.latencyMs.median / own.latencyMs.median }),
    ...(layers && { layers }),
    ...(layersProblem !== undefined && { layersProblem }),
    ...(scaling && { scaling }),
  };
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

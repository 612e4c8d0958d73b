/** Section `times`: whole inferences of everything that takes part, warmed up, then in turns. */
import { throwIfAborted } from '../src/errors.ts';
import type { Contestant } from './contestant.ts';
import type { BenchOptions } from './options.ts';
import type { Times } from './report.ts';
import { isSteady, relativeL2, summarize } from './statistics.ts';

const MAX_WARM_UP_RUNS = 5;
/** Whoever has taken this long in all is warm, and has enough runs once there are a few: on a software adapter one may take a minute. */
const ENOUGH_MS = 30_000;
const FEWEST_RUNS = 3;

/** Milliseconds of each run. */
interface Measured {
  readonly latencyMs: number[];
  readonly encodeMs: number[];
  readonly gpuTimeMs: number[];
  submits?: number | undefined;
}

/** Times whoever has no problem; who gives another output than before gets one, and no times. */
export async function measureTimes(
  contestants: readonly Contestant[],
  runs: number,
  options: BenchOptions,
): Promise<Map<Contestant, Times>> {
  const warmUpRuns = new Map<Contestant, number>();
  for (const contestant of contestants) warmUpRuns.set(contestant, await warmUp(contestant, options));
  const lists = new Map(contestants.map((contestant) => [contestant, { latencyMs: [], encodeMs: [], gpuTimeMs: [] } as Measured]));
  const entries = [...lists];
  // In turns, so that whatever else the machine does hits all of them alike; another one begins each round, so that nobody always
  // runs on what the same one has left behind: a GPU at rest, or threads that still spin.
  for (let run = 0; run < runs; run++) {
    const first = run % Math.max(entries.length, 1);
    for (const [contestant, measured] of [...entries.slice(first), ...entries.slice(0, first)]) {
      if (contestant.problem !== undefined || hasEnough(measured)) continue;
      throwIfAborted(options.signal);
      options.onProgress?.({ phase: 'measure', label: contestant.label, done: run, total: runs });
      await attempt(contestant, () => measure(contestant, measured));
    }
  }
  const finished = [...lists].filter(([{ problem }]) => problem === undefined);
  return new Map(
    finished.map(([contestant, { latencyMs, encodeMs, gpuTimeMs, submits }]) => [
      contestant,
      {
        warmUpRuns: warmUpRuns.get(contestant)!,
        latencyMs: summarize(latencyMs),
        latencySamplesMs: latencyMs,
        // Fewer where the clock stood still in between.
        ...(gpuTimeMs.length > 0 && { gpuTimeMs: summarize(gpuTimeMs) }),
        ...(encodeMs.length > 0 && { encodeMs: summarize(encodeMs) }),
        ...(submits !== undefined && { submits }),
      },
    ]),
  );
}

function hasEnough({ latencyMs }: Measured): boolean {
  return latencyMs.length >= FEWEST_RUNS && latencyMs.reduce((sum, ms) => sum + ms, 0) > ENOUGH_MS;
}

/** Runs until two runs in a row take about as long, or a few times at most; gives how many runs that were. */
async function warmUp(contestant: Contestant, { signal, onProgress }: BenchOptions): Promise<number> {
  let before: number | undefined;
  let done = 0;
  let spentMs = 0;
  while (done < MAX_WARM_UP_RUNS && spentMs <= ENOUGH_MS && contestant.problem === undefined) {
    throwIfAborted(signal);
    onProgress?.({ phase: 'warm-up', label: contestant.label, done, total: MAX_WARM_UP_RUNS });
    const ran = await attempt(contestant, () => contestant.run());
    if (!ran) break;
    const { latencyMs } = ran;
    done++;
    spentMs += latencyMs;
    if (before !== undefined && isSteady(before, latencyMs)) break;
    before = latencyMs;
  }
  return done;
}

/** One that fails is out; the others go on. */
async function attempt<T>(contestant: Contestant, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    contestant.problem = contestant.problemOf(error);
    return undefined;
  }
}

async function measure(contestant: Contestant, measured: Measured): Promise<void> {
  const { output, latencyMs, encodeMs, gpuTimeMs, submits } = await contestant.run();
  // A run that computes something else is no run: the time of a mistake is worth nothing.
  if (!(relativeL2(output.data, contestant.firstOutput.data) <= contestant.tolerance)) {
    contestant.problem = 'a measured run gave another output than the first one';
    return;
  }
  measured.latencyMs.push(latencyMs);
  measured.submits = submits;
  if (encodeMs !== undefined) measured.encodeMs.push(encodeMs);
  if (gpuTimeMs !== undefined) measured.gpuTimeMs.push(gpuTimeMs);
}

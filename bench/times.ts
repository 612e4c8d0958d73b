/** Section `times`: whole inferences of the networks, warmed up, then in turns. */
import { throwIfAborted } from '../src/errors.ts';
import { VERIFY_TOLERANCE, type Entrant } from './entrant.ts';
import type { BenchOptions } from './options.ts';
import type { BenchResult } from './report.ts';
import { isSteady, relativeL2, summarize } from './statistics.ts';

const MAX_WARM_UP_RUNS = 5;

type Times = Required<Pick<BenchResult, 'warmUpRuns' | 'latencyMs' | 'encodeMs'>> & Pick<BenchResult, 'gpuTimeMs'>;

/** Times every network; one that gives another output than before gets a `problem`. */
export async function measureTimes(
  entrants: readonly Entrant[],
  runs: number,
  options: BenchOptions,
): Promise<Map<Entrant, Times>> {
  const lists = new Map(entrants.map((entrant) => [entrant, { latencyMs: [], encodeMs: [], gpuTimeMs: [] } as Measured]));
  const warmUpRuns = new Map<Entrant, number>();
  for (const entrant of entrants) warmUpRuns.set(entrant, await warmUp(entrant, options));
  // In turns, so that whatever else the machine does hits all of them alike.
  for (let run = 0; run < runs; run++) {
    for (const [entrant, measured] of lists) {
      throwIfAborted(options.signal);
      options.onProgress?.({ phase: 'measure', label: entrant.label, done: run, total: runs });
      await measure(entrant, measured);
    }
  }
  return new Map(
    [...lists].map(([entrant, { latencyMs, encodeMs, gpuTimeMs }]) => [
      entrant,
      {
        warmUpRuns: warmUpRuns.get(entrant)!,
        latencyMs: summarize(latencyMs),
        // Fewer where the clock stood still in between.
        ...(gpuTimeMs.length > 0 && { gpuTimeMs: summarize(gpuTimeMs) }),
        encodeMs: summarize(encodeMs),
      },
    ]),
  );
}

/** Milliseconds of each run. */
interface Measured {
  readonly latencyMs: number[];
  readonly encodeMs: number[];
  readonly gpuTimeMs: number[];
}

/** Runs until two runs in a row take about as long, or a few times at most; gives how many runs that were. */
async function warmUp({ label, session, input }: Entrant, { signal, onProgress }: BenchOptions): Promise<number> {
  let before: number | undefined;
  let done = 0;
  while (done < MAX_WARM_UP_RUNS) {
    throwIfAborted(signal);
    onProgress?.({ phase: 'warm-up', label, done, total: MAX_WARM_UP_RUNS });
    const { latencyMs } = await session.runTimed(input);
    done++;
    if (before !== undefined && isSteady(before, latencyMs)) break;
    before = latencyMs;
  }
  return done;
}

async function measure(entrant: Entrant, measured: Measured): Promise<void> {
  const { output, latencyMs, encodeMs, gpuTimeMs } = await entrant.session.runTimed(entrant.input);
  // A run that computes something else is no run: the time of a mistake is worth nothing.
  if (!(relativeL2(output.data, entrant.firstOutput.data) <= VERIFY_TOLERANCE[entrant.session.dtype])) {
    entrant.problem = 'a measured run gave another output than the first one';
  }
  measured.latencyMs.push(latencyMs);
  measured.encodeMs.push(encodeMs);
  if (gpuTimeMs !== undefined) measured.gpuTimeMs.push(gpuTimeMs);
}

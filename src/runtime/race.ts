/** Times trials against each other: in turns, so that whatever else the machine does hits all of them alike. */
import { throwIfAborted } from '../errors.ts';
import type { Stopwatch, Trial } from './trial.ts';

/** A sample lasts at least so long: many quanta of a GPU's clock (65.5 us in Chromium and Dawn), many submissions of the CPU's. */
const SAMPLE_MS = { gpuClock: 4, cpuClock: 12 };
const MAX_REPEATS = 4096;
const MIN_ROUNDS = 3;
const MAX_ROUNDS = 16;

export interface RaceOptions {
  readonly stopwatch: Stopwatch;
  readonly hasTimestamps: boolean;
  /** Rounds go on up to here, but three are made in any case. */
  readonly budgetMs: number;
  /** Who takes so many times as long as the fastest at first is not timed again. */
  readonly hopeless: number;
  readonly signal: AbortSignal | undefined;
  readonly onRound?: (done: number, total: number) => void;
}

/** Milliseconds of each trial by name: the least of its samples. Trials must have run before. @throws aborted */
export async function race(trials: ReadonlyMap<string, Trial>, options: RaceOptions): Promise<Map<string, number>> {
  const { stopwatch, signal, budgetMs, hopeless, onRound } = options;
  const sampleMs = options.hasTimestamps ? SAMPLE_MS.gpuClock : SAMPLE_MS.cpuClock;
  const times = new Map<string, number>();
  const repeatsOf = new Map<string, number>();
  for (const [name, trial] of trials) {
    let repeats = 1;
    for (;;) {
      throwIfAborted(signal);
      let ms = await trial.time(stopwatch, repeats);
      // Once more, so that a hiccup is not taken for a slow kernel.
      if (ms * repeats >= sampleMs) ms = Math.min(ms, await trial.time(stopwatch, repeats));
      times.set(name, ms);
      if (ms * repeats >= sampleMs || repeats === MAX_REPEATS) break;
      // A first time of few quanta says little: approached in steps.
      repeats = Math.min(MAX_REPEATS, Math.ceil(repeats * Math.min(16, Math.max(2, (1.2 * sampleMs) / (ms * repeats)))));
    }
    repeatsOf.set(name, repeats);
  }
  const fastest = Math.min(...times.values());
  const runners = [...trials].filter(([name]) => times.get(name)! <= hopeless * fastest);
  // One count for all, so that what a submission costs counts alike.
  const repeats = Math.max(...runners.map(([name]) => repeatsOf.get(name)!));
  const start = performance.now();
  for (let round = 0; round < MAX_ROUNDS && (round < MIN_ROUNDS || performance.now() - start < budgetMs); round++) {
    onRound?.(round, MAX_ROUNDS);
    for (let i = 0; i < runners.length; i++) {
      throwIfAborted(signal);
      const [name, trial] = runners[(i + round) % runners.length];
      const ms = await trial.time(stopwatch, repeats);
      times.set(name, round === 0 ? ms : Math.min(ms, times.get(name)!));
    }
  }
  return times;
}

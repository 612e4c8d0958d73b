/** Whatever is timed in turns: a network in an engine, loaded, run once and verified. */
import { CompConvError, type ErrorCode } from '../src/errors.ts';
import type { Tensor } from '../src/tensor/tensor.ts';

/** One inference, from handing over the input to having the output. */
export interface TimedRun {
  readonly output: Tensor;
  readonly latencyMs: number;
  readonly encodeMs?: number;
  readonly gpuTimeMs?: number;
  readonly submits?: number;
}

export interface Contestant {
  /** For progress. */
  readonly label: string;
  run(): Promise<TimedRun>;
  /** What every run must give again, within `tolerance` of relative L2. */
  readonly firstOutput: Tensor;
  readonly tolerance: number;
  /** Why it has no times, as soon as something is wrong with it. */
  problem: string | undefined;
  /** What an error of `run` says of it alone. @throws the error, if it concerns everything that is timed */
  problemOf(error: unknown): string;
}

/** Too much for the adapter, refused by it, or a number that is none: that is a result, not the end of the benchmark. */
const RESULTS: readonly ErrorCode[] = ['limit-exceeded', 'out-of-memory', 'gpu-validation', 'non-finite'];
/** What engines of JavaScript say of an array that is too long for them, or for the memory at hand. */
const TOO_LONG = /array.*(length|allocation)|allocation failed/i;

/** What an error says of one network; errors that concern all of them are thrown again. */
export function problemOf(error: unknown): string {
  if (error instanceof CompConvError && RESULTS.includes(error.code)) return error.message;
  if (error instanceof RangeError && TOO_LONG.test(error.message)) return `too large for this machine's memory: ${error.message}`;
  throw error;
}

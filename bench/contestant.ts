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
}

/** Too much for the adapter, or refused by it: that is a result, not the end of the benchmark. */
const RESULTS: readonly ErrorCode[] = ['limit-exceeded', 'out-of-memory', 'gpu-validation'];

/** What an error says of one network; errors that concern all of them are thrown again. */
export function problemOf(error: unknown): string {
  if (error instanceof CompConvError && RESULTS.includes(error.code)) return error.message;
  throw error;
}

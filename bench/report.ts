/** What a benchmark reports: plain data with units in the names, fit for JSON. `harness.ts` makes it. */
import type { NetworkOptions } from '../src/models/network.ts';
import type { ScheduleName } from '../src/scheduler/plan.ts';
import type { Summary } from './statistics.ts';

/** From nothing to the first result. Upload and compilation go on at the same time, so they overlap. */
export interface LoadTimes {
  /** Until the last weight was on the GPU; making it up from the seed and packing it included. */
  readonly uploadMs: number;
  /** Until the last pipeline was compiled. */
  readonly compileMs: number;
  /** All of `createSession`: device, plan, upload, compilation, buffers, bind groups. */
  readonly sessionMs: number;
  readonly firstRunMs: number;
  /** `sessionMs + firstRunMs`. */
  readonly totalMs: number;
}

export interface BenchResult {
  readonly label: string;
  /** The graph's name. */
  readonly network: string;
  readonly options: NetworkOptions;
  readonly macs: number;
  readonly params: number;
  readonly dispatches: number;
  readonly pipelines: number;
  /** On the GPU, for the input that is measured. */
  readonly weightBytes: number;
  readonly activationBytes: number;
  /** Whether the GPU's logits are the reference's; without, there are no times. */
  readonly verified: boolean;
  /** Relative L2 error of the logits at `verifySize`, batch 1; null where it is no number. */
  readonly relativeError: number | null;
  /** Why it is not verified. */
  readonly problem?: string;
  readonly load?: LoadTimes;
  readonly warmUpRuns?: number;
  /** From handing over the input to having the output. */
  readonly latencyMs?: Summary;
  /** On the GPU, where it has `timestamp-query`. */
  readonly gpuTimeMs?: Summary;
  /** Median latency of the first network divided by this one's. */
  readonly speedUp?: number;
  /** MACs of the first network divided by this one's: the speed-up that arithmetic alone promises. */
  readonly macsRatio: number;
}

export interface BenchReport {
  readonly adapter: string;
  /** The adapter computes on the processor: its times say nothing about a GPU. */
  readonly software: boolean;
  readonly versions: Readonly<Record<string, string>>;
  /** `[N, C, H, W]` */
  readonly inputShape: readonly number[];
  readonly seed: number;
  readonly runs: number;
  readonly schedule: ScheduleName;
  /** Whether kernels were taken that tuning had measured to be fastest. */
  readonly tuned: boolean;
  /** Height and width of the input that the networks were verified on. */
  readonly verifySize: number;
  readonly verifyTolerance: number;
  readonly networks: readonly BenchResult[];
}

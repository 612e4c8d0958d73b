/**
 * What a benchmark reports: plain data with units in the names, fit for JSON. `harness.ts` makes it, `report.schema.json`
 * says the same to other programs, `README.md` says what the numbers mean.
 */
import type { NetworkOptions } from '../src/models/network.ts';
import type { AdapterDescription } from '../src/runtime/device.ts';
import type { ScheduleName } from '../src/scheduler/plan.ts';
import type { Dtype } from '../src/tensor/dtype.ts';
import type { BenchNetwork, BenchSection } from './options.ts';
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
  /** Load to first result: `sessionMs + firstRunMs`. */
  readonly totalMs: number;
}

export interface BenchResult {
  readonly label: string;
  /** The graph's name. */
  readonly network: string;
  readonly options: NetworkOptions;
  /** How activations and weights were stored, and why not as asked for. */
  readonly dtype: Dtype;
  readonly dtypeFallback?: string;
  readonly macs: number;
  readonly params: number;
  readonly dispatches: number;
  /** Of those, the ones that only move channels: slices, concatenations, shuffles. */
  readonly moves: number;
  readonly pipelines: number;
  /** On the GPU, for the input that is measured. */
  readonly weightBytes: number;
  readonly activationBytes: number;
  /** The most that is alive at any one dispatch: no assignment of buffers can need less. */
  readonly activationLowerBoundBytes: number;
  /** `activationBytes / activationLowerBoundBytes`. */
  readonly activationRatio: number;
  /** Whether the GPU's logits are the reference's; without, there are no times. */
  readonly verified: boolean;
  /** Relative L2 error of one image's logits at `verifySize`; null where it is no number. */
  readonly relativeError: number | null;
  /** Why it is not verified. */
  readonly problem?: string;
  readonly load?: LoadTimes;
  readonly warmUpRuns?: number;
  /** From handing over the input to having the output. */
  readonly latencyMs?: Summary;
  /** On the GPU, where it has `timestamp-query`. */
  readonly gpuTimeMs?: Summary;
  /** Of the CPU, to record and submit one inference. */
  readonly encodeMs?: Summary;
  /** Median latency of the first network divided by this one's. */
  readonly speedUp?: number;
  /** MACs of the first network divided by this one's: the speed-up that arithmetic alone promises. */
  readonly macsRatio: number;
  readonly layers?: LayersReport;
  readonly scaling?: ScalingReport;
}

/** Times of an adapter by itself; what is derived from them is by the least time, medians stand beside. */
export interface AdapterLimits {
  /** `timestamp-query`, or `queue`: from submission until the queue is done. */
  readonly clock: 'timestamp-query' | 'queue';
  /** Timestamps are whole multiples of it, as far as seen; absent for the clock `queue`. */
  readonly timestampStepNs?: number;
  readonly dispatchFloor: DispatchFloor;
  readonly peak: ArithmeticPeak;
  /** By size. */
  readonly bandwidth: readonly BandwidthSample[];
}

/** Microseconds per dispatch of next to nothing, many of them in one pass. */
export interface DispatchFloor {
  /** Each reads what the one before it wrote. */
  readonly dependentUs: Summary;
  readonly dependentDispatches: number;
  readonly independentUs: Summary;
  readonly independentDispatches: number;
}

export interface ArithmeticPeak {
  /** f32, of the best form; a multiply-add counts 2. */
  readonly gflopPerS: number;
  readonly forms: readonly ArithmeticForm[];
}

export interface ArithmeticForm {
  /** WGSL's `fma(a, b, c)`, or `a * b + c`. */
  readonly form: 'fma' | 'multiply-add';
  /** Chains of vec4s per invocation. */
  readonly chains: number;
  /** Floating-point operations of one sample. */
  readonly flop: number;
  readonly timeMs: Summary;
  readonly gflopPerS: number;
  readonly medianGflopPerS: number;
}

export interface BandwidthSample {
  /** Read and written by one copy. */
  readonly bytes: number;
  /** Copies in one pass. */
  readonly copies: number;
  /** Of one copy. */
  readonly timeMs: Summary;
  readonly gbPerS: number;
  readonly medianGbPerS: number;
}

/** A network's dispatches, each alone. */
export interface LayersReport {
  /** Longest first. */
  readonly dispatches: readonly LayerResult[];
  /** By kernel, longest first. */
  readonly kernels: readonly KernelTotal[];
  /** Sum over the dispatches of their medians. */
  readonly timeMs: number;
  /** Sum over the dispatches: what the network would take if each were at its roofline. */
  readonly rooflineMs: number;
}

export interface LayerResult {
  /** Place in the plan, from 0. */
  readonly index: number;
  readonly label: string;
  readonly kernel: string;
  readonly macs: number;
  /** Activations, each byte once. */
  readonly readBytes: number;
  readonly writtenBytes: number;
  /** Weights and other constants. */
  readonly constantBytes: number;
  /** All of them. */
  readonly bytes: number;
  /** How often it ran in one sample. */
  readonly repeats: number;
  /** Of one dispatch in a chain of itself. */
  readonly timeMs: Summary;
  readonly gmacPerS: number;
  readonly gbPerS: number;
  /** max(macs / peak, bytes / bandwidth) + dispatch floor. */
  readonly rooflineMs: number;
  /** `rooflineMs` divided by the median time: 1 is as good as it gets. */
  readonly rooflineShare: number;
  /** Which of the three is the largest. */
  readonly bound: 'compute' | 'memory' | 'dispatch';
}

export interface KernelTotal {
  readonly kernel: string;
  readonly dispatches: number;
  readonly macs: number;
  readonly bytes: number;
  readonly timeMs: number;
  /** Of all dispatches' time. */
  readonly timeShare: number;
  readonly gmacPerS: number;
  readonly gbPerS: number;
  readonly rooflineShare: number;
}

export interface ScalingReport {
  readonly base: ScalingPoint;
  /** Twice the size, then eight times the batch. */
  readonly ratios: readonly ScalingRatio[];
}

export interface ScalingPoint {
  readonly size: number;
  readonly batch: number;
  readonly latencyMs?: Summary;
  readonly gpuTimeMs?: Summary;
  /** Why there is no time: too much for the adapter. */
  readonly problem?: string;
}

export interface ScalingRatio {
  readonly point: ScalingPoint;
  /** How many times the base's pixels it has. */
  readonly workRatio: number;
  /** By medians. */
  readonly latencyRatio?: number;
  readonly gpuTimeRatio?: number;
  /** The most that `latencyRatio` should be. */
  readonly bar: number;
  readonly isWithinBar?: boolean;
}

/** What was asked for. */
export interface ReportOptions {
  readonly sections: readonly BenchSection[];
  readonly networks: readonly BenchNetwork[];
  readonly size: number;
  readonly batch: number;
  readonly runs: number;
  readonly seed: number;
  readonly schedule: ScheduleName;
  readonly dtype: Dtype;
  /** Whether kernels were taken that tuning had measured to be fastest. */
  readonly tuned: boolean;
  readonly withoutPasses: readonly string[];
}

export interface BenchReport {
  /** Of this format; raised when a field changes its meaning. */
  readonly format: 1;
  /** When it began, ISO 8601, UTC. */
  readonly date: string;
  /** `isSoftware`: it computes on the processor, and its times say nothing about a GPU. */
  readonly adapter: AdapterDescription;
  readonly versions: Readonly<Record<string, string>>;
  readonly options: ReportOptions;
  readonly limits?: AdapterLimits;
  /** `[N, C, H, W]`; only with networks, as the next two. */
  readonly inputShape?: readonly number[];
  /** Height and width of the input that the networks were verified on. */
  readonly verifySize?: number;
  readonly verifyTolerance?: number;
  /** None where only the adapter was measured. */
  readonly networks: readonly BenchResult[];
}

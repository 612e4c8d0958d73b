/**
 * What a benchmark reports: plain data with units in the names, fit for JSON. `harness.ts` makes it, `report.schema.json`
 * says the same to other programs, `README.md` says what the numbers mean.
 */
import type { NetworkOptions } from '../src/models/network.ts';
import type { OpName } from '../src/ops/node.ts';
import type { AdapterDescription } from '../src/runtime/device.ts';
import type { ScheduleName } from '../src/scheduler/plan.ts';
import type { Dtype } from '../src/tensor/dtype.ts';
import type { BenchNetwork, BenchSection } from './options.ts';
import type { PeerName } from './peers/peer.ts';
import type { Summary } from './statistics.ts';

/** From nothing to the first result. Upload and compilation go on at the same time, so they overlap. */
export interface LoadTimes {
  /** Of that, to make the weights up from the seed: what takes the place of a download here. */
  readonly weightsMs: number;
  /** Until the last weight was on the GPU; making and packing it included. */
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
  /** Tells the networks of a report apart. */
  readonly label: string;
  /** The graph's name. */
  readonly network: string;
  readonly options: NetworkOptions;
  /** Label of the network that it is compared with, usually its plain twin; its own label where there is none. */
  readonly baseline: string;
  /** `[N, C, H, W]` */
  readonly inputShape: readonly number[];
  readonly macs: number;
  readonly params: number;
  /** MACs of the baseline divided by this one's: the speed-up that arithmetic alone promises. */
  readonly macsRatio: number;
  /** The graph's own layers that compute or pool, in order, whatever becomes of them on the GPU. */
  readonly graphLayers: readonly GraphLayer[];
  /** Absent where the network did not fit the adapter. */
  readonly plan?: PlanCounts;
  /** How activations and weights were stored, and why not as asked for. */
  readonly dtype?: Dtype;
  readonly dtypeFallback?: string;
  /** Whether the GPU's logits are the reference's; without, there are no times. */
  readonly verified: boolean;
  /** Relative L2 error of one image's logits at `verifySize`; null where it is no number. */
  readonly relativeError: number | null;
  /** Height and width of the input that it was verified on, and how large the error may be. */
  readonly verifySize: number;
  readonly verifyTolerance: number;
  /** Why there are no times. */
  readonly problem?: string;
  readonly load?: LoadTimes;
  readonly times?: Times;
  /** Median latency of the baseline divided by this one's. */
  readonly speedUp?: number;
  readonly layers?: LayersReport;
  /** Why there are none, though they were asked for. */
  readonly layersProblem?: string;
  readonly scaling?: ScalingReport;
}

/** A layer of the graph: what it is and what it costs by formula. A CompConv is one layer. */
export interface GraphLayer {
  readonly name: string;
  readonly op: OpName;
  /** Recursion depth of a CompConv. */
  readonly depth?: number;
  readonly kernelSize?: number;
  readonly stride?: number;
  /** `[N, C, H, W]` */
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
  readonly macs: number;
  readonly params: number;
}

/** What a network became on this adapter. */
export interface PlanCounts {
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
}

/** Whole inferences in the steady state. */
export interface Times {
  readonly warmUpRuns: number;
  /** From handing over the input to having the output. */
  readonly latencyMs: Summary;
  /** What it is the summary of, in the order of the runs. */
  readonly latencySamplesMs: readonly number[];
  /** On the GPU, where it has `timestamp-query`. */
  readonly gpuTimeMs?: Summary;
  /** Of the CPU, to record and submit one inference; absent for other engines, which do not tell. */
  readonly encodeMs?: Summary;
  /** Into how many one inference goes, in the last run: what takes long is cut, so that no watchdog ends it. As `encodeMs`. */
  readonly submits?: number;
}

/** Another engine on one of the networks, in one of its settings: same adapter, weights and input. */
export interface PeerResult {
  readonly peer: PeerName;
  /** With its version, for people. */
  readonly title: string;
  /** Label of the network. */
  readonly label: string;
  /** How it ran: memory layout, graph capture, where input and output lay. */
  readonly setting: string;
  /** What of its best setting did not work here, and why. */
  readonly notes: readonly string[];
  /** Whether its logits are ours; without, there are no times. */
  readonly verified: boolean;
  /** Relative L2 error against our logits; null where it is no number. */
  readonly relativeError: number | null;
  readonly verifyTolerance: number;
  /** Why there are no times. */
  readonly problem?: string;
  readonly load?: PeerLoadTimes;
  readonly times?: Times;
  /** Whether this is the engine's fastest setting on this network. */
  readonly isBest?: boolean;
  /** Median latency of the engine's best setting on the network's baseline, divided by this one's. */
  readonly speedUp?: number;
  /** This median latency divided by ours on the same network. */
  readonly timesOurs?: number;
}

export interface PeerLoadTimes {
  /** Of the library itself, its wasm included; paid once, whatever the network. */
  readonly downloadMs: number;
  /** Of that, bytes as they came, compressed or not, where the browser tells. */
  readonly downloadBytes?: number;
  /** To make the weights, and of them the ONNX file where it loads one. Absent of TensorFlow.js in older reports, where `createMs` had it. */
  readonly exportMs?: number;
  /** From the weights to a session that can run: graph optimisation, upload, and compilation where it comes first. */
  readonly createMs: number;
  readonly firstRunMs: number;
  /** `createMs + firstRunMs`: compare it with our `totalMs` less `weightsMs`. */
  readonly totalMs: number;
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
  /** The graph's layer that it belongs to. */
  readonly layer: string;
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
  readonly peers: readonly PeerName[];
  /** Height and width of the input; absent where each network has the size it was made for. */
  readonly size?: number;
  readonly batch: number;
  readonly runs: number;
  readonly seed: number;
  readonly schedule: ScheduleName;
  readonly dtype: Dtype;
  /** Whether kernels were taken that tuning had measured to be fastest. */
  readonly tuned: boolean;
  readonly withoutPasses: readonly string[];
  readonly forcedPasses: readonly string[];
}

export interface BenchReport {
  /** Of this format; raised when a field changes its meaning. */
  readonly format: 2;
  /** When it began, ISO 8601, UTC. */
  readonly date: string;
  /** `isSoftware`: it computes on the processor, and its times say nothing about a GPU. */
  readonly adapter: AdapterDescription;
  /** Of the engine, and of what it runs on: browser or Node, operating system. */
  readonly versions: Readonly<Record<string, string>>;
  readonly options: ReportOptions;
  readonly limits?: AdapterLimits;
  /** None where only the adapter was measured. */
  readonly networks: readonly BenchResult[];
  /** Only where other engines were asked for. */
  readonly peers?: readonly PeerResult[];
}

/** What a benchmark is asked for, and what it says of its progress. */
import type { NetworkOptions } from '../src/models/network.ts';
import type { DeviceOptions } from '../src/runtime/device.ts';
import type { Session } from '../src/runtime/session.ts';
import type { TuningCache } from '../src/runtime/tuning-cache.ts';
import type { ScheduleOptions } from '../src/scheduler/schedule.ts';

export interface BenchNetwork {
  /** What to call it in the report. */
  readonly label: string;
  readonly options: NetworkOptions;
}

/**
 * What to measure: `times` of whole inferences in turns; the `adapter`'s own limits; `layers`, each dispatch alone against
 * its roofline, for which the limits are measured too; `scaling` with image size and batch.
 */
export const sections = ['times', 'adapter', 'layers', 'scaling'] as const;
export type BenchSection = (typeof sections)[number];

/** `device` and `gpu` say what to run on; an `adapter` gives one device only, so that it serves one network or section only. */
export interface BenchOptions extends DeviceOptions, Pick<ScheduleOptions, 'schedule' | 'withoutPasses' | 'dtype'> {
  /** Speed-ups are against the first one. */
  readonly networks: readonly BenchNetwork[];
  /** Default `times`. */
  readonly sections?: readonly BenchSection[];
  /** Height and width of the input. Default what the first architecture was made for. */
  readonly size?: number;
  /** Default 1. */
  readonly batch?: number;
  /** Measured runs of each network. Default 10. */
  readonly runs?: number;
  /** Of weights and input. Default 1. */
  readonly seed?: number;
  /** Where each session looks for kernels to take: see `SessionOptions`. Default nowhere. */
  readonly tuning?: TuningCache;
  /** Called with each session before it runs; what it throws ends the benchmark. */
  readonly onSession?: (session: Session) => void;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: BenchProgress) => void;
  /** Goes into the report as it is: versions of what the engine runs on. */
  readonly versions?: Readonly<Record<string, string>>;
}

export interface BenchProgress {
  readonly phase: 'limits' | 'load' | 'verify' | 'warm-up' | 'measure' | 'layers' | 'scaling';
  /** The network's label, or what is measured. */
  readonly label: string;
  /** Runs done of `total`, in the phases that count them. */
  readonly done?: number;
  readonly total?: number;
}

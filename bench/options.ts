/** What a benchmark is asked for, and what it says of its progress. */
import type { NetworkOptions } from '../src/models/network.ts';
import type { DeviceOptions } from '../src/runtime/device.ts';
import type { Session } from '../src/runtime/session.ts';
import type { TuningCache } from '../src/runtime/tuning-cache.ts';
import type { ScheduleOptions } from '../src/scheduler/schedule.ts';
import type { Peer, PeerName } from './peers/peer.ts';

export interface BenchNetwork {
  /** What to call it in the report; no two may be called the same. */
  readonly label: string;
  readonly options: NetworkOptions;
  /** Label of the network, also one of the list, that its speed-up is against. Default the first of the list. */
  readonly baseline?: string;
}

/**
 * What to measure: `times` of whole inferences in turns; the `adapter`'s own limits; `layers`, each dispatch alone against
 * its roofline, for which the limits are measured too; `scaling` with image size and batch.
 */
export const sections = ['times', 'adapter', 'layers', 'scaling'] as const;
export type BenchSection = (typeof sections)[number];

/** `device` and `gpu` say what to run on; an adapter gives one device only, and here every network has its own. */
export interface BenchOptions extends Omit<DeviceOptions, 'adapter'>, Pick<ScheduleOptions, 'schedule' | 'withoutPasses' | 'forcedPasses' | 'dtype'> {
  readonly networks: readonly BenchNetwork[];
  /** Other engines to measure on the same networks, with section `times`. Default none. */
  readonly peers?: readonly PeerName[];
  /** Loads one; needed with `peers`. Passed in, so that whoever measures none does not carry them. */
  readonly openPeer?: (name: PeerName) => Promise<Peer>;
  /** Default `times`. */
  readonly sections?: readonly BenchSection[];
  /** Height and width of the input. Default what each architecture was made for. */
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

/** In the order in which they come. `upload`, with `weights` made on the way, and `compile` go on at the same time. */
export const phases = [
  'limits',
  'upload',
  'compile',
  'first-run',
  'verify',
  'download',
  'peer',
  'warm-up',
  'measure',
  'layers',
  'scaling',
] as const;

export interface BenchProgress {
  readonly phase: (typeof phases)[number];
  /** The network's label, the other engine's title, or what is measured. */
  readonly label: string;
  /** What is done of `total`, in the phases that count it: bytes of `upload`, pipelines of `compile`, else steps. */
  readonly done?: number;
  readonly total?: number;
}

/** What sessions take and tell: plain types, for sessions of other kinds too. */
import type { CompConvError } from '../errors.ts';
import type { ScheduleOptions } from '../scheduler/schedule.ts';
import type { Dtype } from '../tensor/dtype.ts';
import type { DeviceOptions } from './device.ts';
import type { TuningProgress } from './tuner.ts';
import type { TuningCache } from './tuning-cache.ts';

/** What `createSession` is doing; `done` of `total`, in bytes or pipelines. Upload and compilation go on at the same time. */
export interface SessionProgress {
  readonly phase: 'upload' | 'compile';
  readonly done: number;
  readonly total: number;
}

/** `schedule` says how the network becomes dispatches: `optimized`, the default, or `reference`, which fuses epilogues only. */
export interface SessionOptions extends DeviceOptions, Pick<ScheduleOptions, 'schedule' | 'withoutPasses' | 'forcedPasses'> {
  /** How activations and weights are stored; sums are float32. `f16` takes an adapter with `shader-f16`, else it is `f32` again. Default `f32`. */
  readonly dtype?: Dtype | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SessionProgress) => void) | undefined;
  /** Where to look for what `tune()` found, and where it keeps it. Without, a session begins untuned, which is good already. */
  readonly tuning?: TuningCache | undefined;
  /** A device that no other session shares; by default those that ask for the same thing do. Default false. */
  readonly ownDevice?: boolean | undefined;
  /** Called when the device was lost; the next run gets another one, if there is one. */
  readonly onDeviceLost?: ((error: CompConvError) => void) | undefined;
}

/** For `Session.tune`. */
export interface TuneOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: TuningProgress) => void) | undefined;
  /**
   * Where results are kept; `null` is nowhere but in the session. Default the session's `tuning`, else IndexedDB where there
   * is one.
   */
  readonly cache?: TuningCache | null | undefined;
  /** Measures what is known already, too: the machine was busy then, for example. Default false. */
  readonly fresh?: boolean | undefined;
}

/** For `run` and what is like it. */
export interface RunOptions {
  /** Mirrors images left to right; tensors are taken as they are. Default false. */
  readonly flip?: boolean | undefined;
  /** Aborted, the run rejects at once; what is on the GPU already comes to its end there. */
  readonly signal?: AbortSignal | undefined;
  /** Gives outputs with NaN or infinity in them, too, which otherwise are an error. Default false. */
  readonly allowNonFinite?: boolean | undefined;
}

/** Bytes on the GPU. */
export interface SessionMemory {
  /** As packed for the kernels in use; what other input sizes have other kernels for is held besides, and is in it. */
  readonly weightBytes: number;
  /** Of the kind of input that ran last: its batch and image size. */
  readonly activationBytes: number;
  /** Activations of at most three other kinds, kept for when they come again. */
  readonly pooledBytes: number;
}

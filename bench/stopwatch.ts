/**
 * Times compute passes on the GPU: by timestamps where there are any, else from submission until the queue is done, less
 * what that takes for an empty pass. Browsers round timestamps, so their step is measured, and samples are made long enough
 * for it not to matter.
 */
import { throwIfAborted } from '../src/errors.ts';
import { withErrorScopes, type EngineDevice } from '../src/runtime/device.ts';
import { PassTimer } from '../src/runtime/timing.ts';
import codeChain from './probes/dispatch-chain.wgsl?raw';
import { Probe } from './probes/probe.ts';
import { clockStep, median } from './statistics.ts';

/** Records commands into a pass. */
export type Recorder = (pass: GPUComputePassEncoder) => void;

/** A sample lasts at least so many steps of the clock, so that one step is a third of a percent, and so many milliseconds. */
const SAMPLE_STEPS = 300;
const SAMPLE_MS = 20;
/** However coarse the clock is: one submit of 2 s, and the operating system resets the GPU. */
const LONGEST_SAMPLE_MS = 500;
const EMPTY_PASSES = 7;
/** Samples end early once there are some and they have lasted this long: software adapters are slow. */
const FEWEST_SAMPLES = 3;
const ENOUGH_MS = 300;
/** Passes whose timestamps tell the clock's step: that those of all of them share a multiple of it has a chance of 2^-15. */
const STEP_PASSES = 16;
/** Of the CPU's clock, in a page that is not isolated from other origins. */
const QUEUE_STEP_MS = 0.1;

/** Which clock times come from. */
export type Clock = 'timestamp-query' | 'queue';

export class Stopwatch {
  readonly #engine: EngineDevice;
  readonly #signal: AbortSignal | undefined;
  #timer: PassTimer | undefined;
  #timestampStepNs: number | undefined;
  #emptyMs: number | undefined;

  private constructor(engine: EngineDevice, signal?: AbortSignal) {
    this.#engine = engine;
    this.#signal = signal;
    this.#timer = engine.hasTimestamps ? new PassTimer(engine.device) : undefined;
  }

  /** Finds out what the clock is and how fine. @throws aborted, gpu-validation, device-lost */
  static async create(engine: EngineDevice, signal?: AbortSignal): Promise<Stopwatch> {
    const stopwatch = new Stopwatch(engine, signal);
    try {
      await stopwatch.#measureStep();
      return stopwatch;
    } catch (error) {
      stopwatch.destroy();
      throw error;
    }
  }

  get clock(): Clock {
    return this.#timer ? 'timestamp-query' : 'queue';
  }

  /** Timestamps come in steps of so many nanoseconds; undefined for the clock `queue`. */
  get timestampStepNs(): number | undefined {
    return this.#timestampStepNs;
  }

  /** Milliseconds of one pass; a step of the clock where it is shorter than that. @throws aborted, gpu-validation, device-lost */
  async time(record: Recorder): Promise<number> {
    throwIfAborted(this.#signal);
    if (this.#timer) {
      // A clock that was set back gives no time once, and a step would be a record; a pass shorter than that gives none ever.
      const ns = (await this.#readNs(record)) ?? (await this.#readNs(record)) ?? (await this.#readNs(record));
      return (ns ?? this.#timestampStepNs!) / 1e6;
    }
    this.#emptyMs ??= median(await this.#emptyPasses());
    return Math.max(QUEUE_STEP_MS, (await this.#submit(record)) - this.#emptyMs);
  }

  /**
   * How many times to repeat work so that a sample is long enough for the clock: grows from 1. Warms up on the way.
   * @param record work repeated `repeats` times
   * @param max the most repeats to record
   */
  async repeatsFor(record: (repeats: number) => Recorder, max: number): Promise<number> {
    const stepMs = (this.#timestampStepNs ?? 0) / 1e6;
    const sampleMs = Math.min(LONGEST_SAMPLE_MS, Math.max(SAMPLE_MS, SAMPLE_STEPS * stepMs));
    for (let repeats = 1; ; ) {
      const ms = await this.time(record(repeats));
      if (ms >= sampleMs || repeats >= max) return repeats;
      // By what is missing, but no more than tenfold: short times are rough.
      const factor = Math.min(10, (1.2 * sampleMs) / ms);
      repeats = Math.min(max, Math.max(repeats + 1, Math.ceil(repeats * factor)));
    }
  }

  /** Milliseconds of `count` passes; of three at least where they take long. */
  async samples(record: Recorder, count: number): Promise<number[]> {
    const times: number[] = [];
    let totalMs = 0;
    while (times.length < count && !(times.length >= FEWEST_SAMPLES && totalMs > ENOUGH_MS)) {
      times.push(await this.time(record));
      totalMs += times[times.length - 1];
    }
    return times;
  }

  destroy(): void {
    this.#timer?.destroy();
  }

  /** Timestamps of one small dispatch after another; without, or where they stand still, the queue is the clock. */
  async #measureStep(): Promise<void> {
    if (!this.#timer) return;
    const probe = await Probe.create(this.#engine, codeChain, [{ byteLength: 4 }]);
    try {
      const timestamps: bigint[] = [];
      for (let i = 0; i < STEP_PASSES; i++) {
        throwIfAborted(this.#signal);
        await this.#submit((pass) => probe.record(pass, 1));
        timestamps.push(...(await this.#timer.read()));
      }
      const step = clockStep(timestamps);
      if (step !== undefined) this.#timestampStepNs = Number(step);
      else {
        this.#timer.destroy();
        this.#timer = undefined;
      }
    } finally {
      probe.destroy();
    }
  }

  /** By timestamps; undefined where they are the same, or make no sense. */
  async #readNs(record: Recorder): Promise<number | undefined> {
    await this.#submit(record);
    return this.#timer!.readNs();
  }

  async #emptyPasses(): Promise<number[]> {
    const times: number[] = [];
    for (let i = 0; i < EMPTY_PASSES; i++) times.push(await this.#submit(() => {}));
    return times;
  }

  /** Milliseconds from submission until the queue was done. */
  async #submit(record: Recorder): Promise<number> {
    const { device } = this.#engine;
    const done = withErrorScopes(device, 'benchmark', async () => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass(this.#timer ? { timestampWrites: this.#timer.writes() } : {});
      record(pass);
      pass.end();
      this.#timer?.encodeResolve(encoder);
      const commands = encoder.finish();
      const begin = performance.now();
      device.queue.submit([commands]);
      await device.queue.onSubmittedWorkDone();
      return performance.now() - begin;
    });
    return this.#engine.whileAlive(done);
  }
}

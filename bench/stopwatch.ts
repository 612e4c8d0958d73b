/**
 * Times compute passes on the GPU: by timestamps where there are any, else from submission until the queue is done, less
 * what that takes for an empty pass. Chromium rounds timestamps to 65.5 us, so samples are made long enough not to care.
 */
import { throwIfAborted } from '../src/errors.ts';
import { withErrorScopes, type EngineDevice } from '../src/runtime/device.ts';
import { PassTimer } from '../src/runtime/timing.ts';
import { median } from './statistics.ts';

/** Records commands into a pass. */
export type Recorder = (pass: GPUComputePassEncoder) => void;

/** A sample's least time in milliseconds: 300 steps of a clock of 65.5 us, so that one step is a third of a percent. */
export const SAMPLE_MS = 20;
const EMPTY_PASSES = 7;
/** Samples end early once there are some and they have lasted this long: software adapters are slow. */
const FEWEST_SAMPLES = 3;
const ENOUGH_MS = 300;
/** What stands for a time that the clock cannot tell from none: one step of it. */
const CLOCK_STEP_MS = 0.0655;

/** Which clock times come from. */
export type Clock = 'timestamp-query' | 'queue';

export class Stopwatch {
  readonly clock: Clock;
  readonly #engine: EngineDevice;
  readonly #timer: PassTimer | undefined;
  readonly #signal: AbortSignal | undefined;
  #emptyMs: number | undefined;

  constructor(engine: EngineDevice, signal?: AbortSignal) {
    this.#engine = engine;
    this.#timer = engine.hasTimestamps ? new PassTimer(engine.device) : undefined;
    this.#signal = signal;
    this.clock = this.#timer ? 'timestamp-query' : 'queue';
  }

  /** Milliseconds of one pass; a step of the clock where it is shorter than that. @throws aborted, gpu-validation, device-lost */
  async time(record: Recorder): Promise<number> {
    throwIfAborted(this.#signal);
    if (this.#timer) {
      await this.#submit(record);
      const elapsedNs = await this.#timer.readNs();
      return elapsedNs === undefined ? CLOCK_STEP_MS : elapsedNs / 1e6;
    }
    this.#emptyMs ??= median(await this.#emptyPasses());
    return Math.max(CLOCK_STEP_MS, (await this.#submit(record)) - this.#emptyMs);
  }

  /**
   * How many times to repeat work so that a sample lasts `SAMPLE_MS`: grows from 1. Warms up on the way.
   * @param record work repeated `repeats` times
   * @param max the most repeats to record
   */
  async repeatsFor(record: (repeats: number) => Recorder, max: number): Promise<number> {
    for (let repeats = 1; ; ) {
      const ms = await this.time(record(repeats));
      if (ms >= SAMPLE_MS || repeats >= max) return repeats;
      // By what is missing, but no more than tenfold: short times are rough.
      const factor = Math.min(10, (1.2 * SAMPLE_MS) / ms);
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

  async #emptyPasses(): Promise<number[]> {
    const times: number[] = [];
    for (let i = 0; i < EMPTY_PASSES; i++) times.push(await this.#submit(() => {}));
    return times;
  }

  /** Milliseconds from submission until the queue was done. */
  async #submit(record: Recorder): Promise<number> {
    const { device, lost } = this.#engine;
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
    return Promise.race([done, lost]);
  }
}

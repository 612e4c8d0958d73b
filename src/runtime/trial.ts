/** A plan, or an op of one, on a device with made-up inputs: it can be run for its results and timed. */
import { bytesPerElement, type Dtype } from '../tensor/dtype.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import { seededUniform } from '../weights/seeded.ts';
import { valueBytes, type PlannedValue } from '../scheduler/memory.ts';
import type { Excerpt } from '../scheduler/isolate.ts';
import type { ConstantStore } from './constant-store.ts';
import { withErrorScopes, type EngineDevice } from './device.ts';
import { Executor } from './executor.ts';
import { fromStored, toStored } from './layout.ts';
import type { PacedQueue } from './paced-queue.ts';
import type { PipelineCache } from './pipelines.ts';
import { PassTimer } from './timing.ts';

/** Relative L2 error up to which two kernels are taken to compute the same. */
const TOLERANCE: Readonly<Record<Dtype, number>> = { f32: 1e-4, f16: 2e-3 };
const SEED = 1;

/** Time on the GPU by its own clock where it has one, else from submission to completion. One measurement at a time. */
export class Stopwatch {
  readonly #device: GPUDevice;
  readonly #queue: PacedQueue;
  readonly #timer: PassTimer | undefined;

  constructor({ device, hasTimestamps }: EngineDevice, queue: PacedQueue) {
    this.#device = device;
    this.#queue = queue;
    this.#timer = hasTimestamps ? new PassTimer(device) : undefined;
  }

  /** Milliseconds of one replay, on average over `repeats` that follow each other. */
  async time(executor: Executor, repeats: number): Promise<number> {
    const timer = this.#timer;
    const start = performance.now();
    const { value: elapsedNs } = await this.#queue.run<number | undefined>({
      name: `${executor.label}, ${repeats} times`,
      stages: [
        {
          label: executor.label,
          work: Array.from({ length: repeats }, () => executor.work).flat(),
          record: (pass, from, to) => executor.record(pass, from, to),
        },
      ],
      timer,
      read: () => (timer ? timer.readNs() : this.#device.queue.onSubmittedWorkDone()),
    });
    return (elapsedNs === undefined ? performance.now() - start : elapsedNs / 1e6) / repeats;
  }

  destroy(): void {
    this.#timer?.destroy();
  }
}

export class Trial {
  readonly plan: Excerpt;
  readonly #device: GPUDevice;
  readonly #queue: PacedQueue;
  readonly #executor: Executor;

  private constructor(device: GPUDevice, queue: PacedQueue, plan: Excerpt, executor: Executor) {
    this.#device = device;
    this.#queue = queue;
    this.plan = plan;
    this.#executor = executor;
  }

  /** @throws gpu-validation, out-of-memory, aborted */
  static async prepare(
    { device }: EngineDevice,
    queue: PacedQueue,
    plan: Excerpt,
    pipelines: PipelineCache,
    constants: ConstantStore,
    signal: AbortSignal | undefined,
  ): Promise<Trial> {
    const compiled = await pipelines.compile(plan.dispatches, undefined, signal);
    await withErrorScopes(device, plan.name, () => constants.upload(plan.constants.values(), undefined, signal));
    const executor = await withErrorScopes(device, plan.name, () => new Executor(device, plan, compiled, pipelines, constants));
    return new Trial(device, queue, plan, executor);
  }

  /**
   * Runs once, on inputs that depend on their names and shapes alone. What it does not write is NaN.
   * @returns the results by name, as they lie on the GPU
   */
  async run(): Promise<Map<string, Float32Array>> {
    const { plan } = this;
    const results = plan.results.map((name) => {
      const size = valueBytes(plan.values.get(name)!, plan.dtype);
      return { name, size, readback: this.#device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST }) };
    });
    try {
      const { value } = await this.#queue.run({
        name: plan.name,
        stages: [this.#executor],
        write: () => {
          for (const { name, size } of results) this.#write(name, new Float32Array(size / bytesPerElement(plan.dtype)).fill(NaN));
          // Last: in a whole plan a result may share the input's buffer.
          this.#writeInputs();
        },
        encodeAfter: (encoder) => {
          for (const { name, size, readback } of results) encoder.copyBufferToBuffer(this.#executor.bufferOf(name), 0, readback, 0, size);
        },
        read: async () => {
          const values = new Map<string, Float32Array>();
          for (const { name, readback } of results) {
            await readback.mapAsync(GPUMapMode.READ);
            values.set(name, fromStored(readback.getMappedRange(), plan.dtype));
          }
          return values;
        },
      });
      return value;
    } finally {
      for (const { readback } of results) readback.destroy();
    }
  }

  /** Milliseconds of one run; the mean of `repeats` that follow each other. */
  async time(stopwatch: Stopwatch, repeats: number): Promise<number> {
    return stopwatch.time(this.#executor, repeats);
  }

  destroy(): void {
    this.#executor.destroy();
  }

  #writeInputs(): void {
    for (const name of this.plan.inputs) this.#write(name, madeUp(name, this.plan.values.get(name)!, this.plan.dtype));
  }

  #write(name: string, values: Float32Array<ArrayBuffer>): void {
    this.#device.queue.writeBuffer(this.#executor.bufferOf(name), 0, toStored(values, this.plan.dtype));
  }
}

/** Values in [-1, 1) of an input of that name: NHWC, dense, as they are stored. */
export function madeUpValues(name: string, { n, h, w, c }: ImageShape, dtype: Dtype): Float32Array {
  return fromStored(toStored(seededUniform(SEED, name, n * h * w * c, -1, 1), dtype).buffer, dtype);
}

/** The same where they lie on the GPU, 0 in the padding. */
function madeUp(name: string, { shape, pitch, layout }: PlannedValue, dtype: Dtype): Float32Array<ArrayBuffer> {
  const { n, h, w, c } = shape;
  const values = madeUpValues(name, shape, dtype);
  const packed = new Float32Array(n * h * w * pitch);
  for (let source = 0, pixel = 0; pixel < packed.length; pixel += pitch) {
    for (let channel = 0; channel < c; channel++) packed[pixel + layout.lanes[channel]] = values[source++];
  }
  return packed;
}

/** In what results differ from those expected, in words; undefined if they are the same but for rounding. */
export function difference(
  actual: ReadonlyMap<string, Float32Array>,
  expected: ReadonlyMap<string, Float32Array>,
  dtype: Dtype,
): string | undefined {
  const tolerance = TOLERANCE[dtype];
  for (const [name, wanted] of expected) {
    const got = actual.get(name);
    if (got?.length !== wanted.length) return `${name}: ${got?.length ?? 'no'} values, expected ${wanted.length}`;
    let [compared, error, size] = [0, 0, 0];
    for (let i = 0; i < wanted.length; i++) {
      // Neither writes it: a part of the value that is another op's.
      if (Number.isNaN(wanted[i]) && Number.isNaN(got[i])) continue;
      compared++;
      error += (got[i] - wanted[i]) ** 2;
      size += wanted[i] ** 2;
    }
    if (compared === 0) return `${name}: nothing is written`;
    const relative = error === 0 ? 0 : Math.sqrt(error / size);
    // So that NaN is a difference.
    if (!(relative <= tolerance)) {
      return `${name}: ${Number.isFinite(relative) ? `relative L2 error ${relative.toExponential(1)} is above ${tolerance}` : 'not finite'}`;
    }
  }
  return undefined;
}

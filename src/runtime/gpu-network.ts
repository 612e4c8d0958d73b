/**
 * A network on one device: its weights, its compiled kernels, and an executor for each kind of input that came by. When the device is
 * lost it is thrown away as a whole, and the session makes another one.
 */
import { CompConvError } from '../errors.ts';
import { shapeOf, withInputShape, type Graph } from '../graph/graph.ts';
import type { Preprocess } from '../models/preprocess.ts';
import { schedule, type ScheduleOptions } from '../scheduler/schedule.ts';
import type { Plan } from '../scheduler/plan.ts';
import type { Dtype } from '../tensor/dtype.ts';
import { formatImageShape, sameImageShape, type ImageShape } from '../tensor/image-shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ImagePreprocessor } from '../vision/image-preprocessor.ts';
import type { ImageSource } from '../vision/image-source.ts';
import type { PreparedImages } from '../vision/prepared-images.ts';
import type { Weights, WeightSource } from '../weights/weights.ts';
import { ConstantStore, type UploadProgress } from './constant-store.ts';
import { withErrorScopes, type EngineDevice } from './device.ts';
import type { OpenDevice } from './device-source.ts';
import { Executor } from './executor.ts';
import type { GpuTensor, GpuTensorInput } from './gpu-tensor.ts';
import type { Transfer } from './gpu-transfer.ts';
import { imagesAtOnce } from './pace.ts';
import type { PacedQueue, Stage } from './paced-queue.ts';
import { PipelineCache, type CompileProgress } from './pipelines.ts';
import { imagesOf, isGpuTensor, isTensor, shapeOfInput, type SessionInput } from './session-input.ts';
import { PassTimer } from './timing.ts';

/** What a session runs, wherever its weights are. */
export interface Network {
  readonly graph: Graph;
  readonly weights: Weights | WeightSource;
  readonly preprocess?: Preprocess;
}

/** An output, and what it took. */
export interface RunResult {
  /** `[N, classes]`, or `[N, C, H, W]` for a network that does not end in a vector. */
  readonly output: Tensor;
  /** From handing over the input to having the output. */
  readonly latencyMs: number;
  /** Of that, what the CPU took to record the commands and submit them; copying the input is not in it. */
  readonly encodeMs: number;
  /** In how many submits: one, but for what is expected to take more than half a second. */
  readonly submits: number;
  /**
   * On the GPU, where it has `timestamp-query`, from the beginning of the network to its end, pauses between submits included;
   * browsers round it, Chromium to 65.5 us.
   */
  readonly gpuTimeMs?: number;
}

/** With values of inner layers, by tap. */
export interface TappedResult extends RunResult {
  readonly taps: Readonly<Record<string, Tensor>>;
}

export interface PrepareOptions {
  /** Taps. */
  readonly keep?: readonly string[];
  readonly onUpload?: UploadProgress | undefined;
  readonly onCompile?: CompileProgress | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface NetworkRunOptions {
  /** Taps. Default none. */
  readonly keep?: readonly string[];
  /** Mirrors images left to right. */
  readonly flip?: boolean;
  readonly isTimed: boolean;
  /** Called before each submit; what it throws ends the run there. */
  readonly check: () => void;
  /** For what has to be read or compiled first. */
  readonly signal?: AbortSignal | undefined;
}

/** What brings an input to where the network reads it. */
interface Feed {
  /** In front of the network's own. */
  readonly stages: readonly Stage[];
  /** For what is written by the queue. */
  readonly write?: () => void;
  readonly start: number;
}

/** Executors kept for kinds of inputs that came by; each holds its own activations. */
const MAX_EXECUTORS = 4;

export class GpuNetwork {
  readonly engine: EngineDevice;
  readonly queue: PacedQueue;
  readonly dtype: Dtype;
  readonly pipelines: PipelineCache;
  readonly constants: ConstantStore;
  readonly #network: Network;
  readonly #scheduleOptions: () => ScheduleOptions;
  /** The most recently used one last. */
  readonly #executors = new Map<string, Executor>();
  readonly #timer: PassTimer | undefined;
  #preprocessor: ImagePreprocessor | undefined;
  /** What is being prepared ends with it, and frees what it has made. */
  readonly #end = new AbortController();

  /** @param scheduleOptions asked for whenever a plan is made */
  constructor(network: Network, { engine, queue }: OpenDevice, dtype: Dtype, scheduleOptions: () => ScheduleOptions) {
    this.#network = network;
    this.engine = engine;
    this.queue = queue;
    this.dtype = dtype;
    this.#scheduleOptions = scheduleOptions;
    this.pipelines = new PipelineCache(engine.device, dtype);
    this.constants = new ConstantStore(engine.device, network.weights);
    this.#timer = engine.hasTimestamps ? new PassTimer(engine.device) : undefined;
  }

  /** Bytes on the GPU. `pooledBytes`: activations of other kinds of inputs than the last one, kept until the fifth kind comes. */
  get memory(): { readonly weightBytes: number; readonly activationBytes: number; readonly pooledBytes: number } {
    const sizes = [...this.#executors.values()].map(({ byteLength }) => byteLength);
    const activationBytes = sizes.pop() ?? 0;
    return { weightBytes: this.constants.byteLength, activationBytes, pooledBytes: sizes.reduce((sum, bytes) => sum + bytes, 0) };
  }

  /** The plan for an input shape. @param keep taps; see `ScheduleOptions` */
  plan(shape: ImageShape, keep: readonly string[] = []): Plan {
    const { graph } = this.#network;
    const sized = sameImageShape(shape, shapeOf(graph, graph.input)) ? graph : withInputShape(graph, shape);
    return schedule(sized, this.engine.limits, { ...this.#scheduleOptions(), dtype: this.dtype, keep });
  }

  /** The executor for an input shape; made if there is none yet. @throws limit-exceeded, gpu-validation, out-of-memory, aborted; disposed */
  async prepare(shape: ImageShape, options: PrepareOptions = {}): Promise<Executor> {
    const { keep = [] } = options;
    const key = JSON.stringify([formatImageShape(shape), ...keep]);
    let executor = this.#executors.get(key);
    this.#executors.delete(key); // Back in below as the most recent one.
    if (!executor) {
      const plan = this.plan(shape, keep);
      try {
        executor = await this.#createExecutor(plan, options);
      } catch (error) {
        if (!(error instanceof CompConvError) || error.code !== 'out-of-memory' || this.#executors.size === 0) throw error;
        // Once more with what the others had.
        this.dropExecutors();
        executor = await this.#createExecutor(plan, options);
      }
      for (const [oldest, unused] of this.#executors) {
        if (this.#executors.size < MAX_EXECUTORS) break;
        unused.destroy();
        this.#executors.delete(oldest);
      }
    }
    this.#executors.set(key, executor);
    return executor;
  }

  async #createExecutor(plan: Plan, { onUpload, onCompile, signal: asked }: PrepareOptions): Promise<Executor> {
    const { device } = this.engine;
    // A server that stalls would hold up everybody on the device.
    const signal = asked ? AbortSignal.any([asked, this.#end.signal]) : this.#end.signal;
    const compiling = this.pipelines.compile(plan.dispatches, onCompile, signal);
    compiling.catch(() => {}); // Awaited below; an upload that fails first must not leave a rejection unhandled.
    await this.constants.upload(plan.constants.values(), onUpload, signal);
    const pipelines = await compiling;
    this.#throwIfDestroyed();
    let executor: Executor | undefined;
    try {
      executor = await withErrorScopes(device, plan.name, () => (executor = new Executor(device, plan, pipelines, this.pipelines, this.constants)));
      this.#throwIfDestroyed();
      return executor;
    } catch (error) {
      executor?.destroy();
      throw error;
    }
  }

  /** How many images of an input to run at once on an adapter as fast as this one has been. @throws what `prepare` does */
  async imagesAtOnce(input: SessionInput, options: Pick<PrepareOptions, 'keep' | 'signal'>): Promise<number> {
    const { work, inputShape } = await this.prepare(shapeOfInput(this.#network.graph, input), options);
    return imagesAtOnce(inputShape.n, work, this.queue.pace.dispatchBudget);
  }

  /** Runs once, and downloads the output. @throws invalid-argument, invalid-graph, limit-exceeded, gpu-validation, out-of-memory; what `check` does */
  async run(input: SessionInput, options: NetworkRunOptions): Promise<TappedResult> {
    const timer = options.isTimed ? this.#timer : undefined;
    return this.#feed(input, options, async (executor, { stages, write, start }) => {
      const { value: output, submits, encodeMs } = await this.queue.run({
        name: this.#network.graph.name,
        stages: [...stages, executor],
        timer,
        write,
        encodeAfter: (encoder) => executor.encodeReadback(encoder),
        read: () => executor.readOutput(),
        check: options.check,
      });
      const latencyMs = performance.now() - start;
      const taps = await executor.readKept();
      const gpuTimeNs = await timer?.readNs();
      return {
        output,
        taps,
        latencyMs,
        encodeMs,
        submits,
        ...(gpuTimeNs === undefined ? {} : { gpuTimeMs: gpuTimeNs / 1e6 }),
      };
    });
  }

  /** Runs once, and leaves the output on the GPU, in a buffer of its own. @throws what `run` does */
  async runOnGpu(input: SessionInput, options: NetworkRunOptions): Promise<GpuTensor> {
    const { device } = this.engine;
    const { createOutputTransfer } = await import('./gpu-transfer.ts');
    return this.#feed(input, options, async (executor, { stages, write }) => {
      const output = await createOutputTransfer(device, this.pipelines, executor.activation(executor.plan.output));
      try {
        const read = () => device.queue.onSubmittedWorkDone();
        await this.queue.run({ name: this.#network.graph.name, stages: [...stages, executor, output], write, read, check: options.check });
        return output.tensor;
      } catch (error) {
        output.tensor.destroy();
        throw error;
      } finally {
        output.release();
      }
    });
  }

  /** Does `work` with the executor for an input, and what brings the input there. */
  async #feed<T>(input: SessionInput, { flip = false, keep = [], check, signal }: NetworkRunOptions, work: (executor: Executor, feed: Feed) => Promise<T>): Promise<T> {
    const executor = await this.prepare(shapeOfInput(this.#network.graph, input), { keep, signal });
    if (isTensor(input)) {
      const write = () => executor.writeInput(input.data);
      return work(executor, { stages: [], write, start: performance.now() });
    }
    // What that takes is loaded and compiled once, and no part of how long a run takes. Who runs tensors of the host never loads it.
    const stageFor = isGpuTensor(input) ? await this.#transferring(input) : await this.#preparing(imagesOf(input), flip);
    check();
    const start = performance.now();
    const stage = await stageFor(executor);
    try {
      return await work(executor, { stages: [stage], start });
    } finally {
      stage.release();
    }
  }

  async #transferring(input: GpuTensorInput): Promise<(executor: Executor) => Promise<Transfer>> {
    const { createInputTransfer } = await import('./gpu-transfer.ts');
    return (executor) => createInputTransfer(this.engine.device, this.pipelines, input, executor.activation(executor.plan.input));
  }

  async #preparing(images: readonly ImageSource[], flip: boolean): Promise<(executor: Executor) => Promise<PreparedImages>> {
    const { preprocess, graph } = this.#network;
    if (!preprocess) {
      throw new CompConvError('invalid-argument', `${graph.name}: the model has no \`preprocess\`, so it takes tensors only, not images`);
    }
    const { ImagePreprocessor } = await import('../vision/image-preprocessor.ts');
    const preprocessor = (this.#preprocessor ??= await ImagePreprocessor.create(this.engine.device, this.dtype));
    if (this.#end.signal.aborted) preprocessor.destroy();
    this.#throwIfDestroyed();
    return (executor) => preprocessor.prepare(images, preprocess, executor.inputShape, executor.input, { flip });
  }

  /** Frees activations; executors are made again when they are needed. */
  dropExecutors(): void {
    for (const executor of this.#executors.values()) executor.destroy();
    this.#executors.clear();
  }

  /** Frees everything but the device; again is harmless. */
  destroy(): void {
    this.#end.abort();
    this.dropExecutors();
    this.constants.destroy();
    this.#timer?.destroy();
    this.#preprocessor?.destroy();
  }

  #throwIfDestroyed(): void {
    if (this.#end.signal.aborted) throw new CompConvError('disposed', `${this.#network.graph.name} is no longer on the device`);
  }
}

/**
 * A session: a model on a device, ready to run. It owns every GPU object it makes, queues runs that come at the same
 * time, and is gone for good after `dispose()`.
 *
 * The plan depends on the input's shape. One is made for the model's own shape at creation, others when such an input
 * comes; they share the weights and the compiled pipelines.
 */
import { CompConvError, throwIfAborted } from '../errors.ts';
import { networkCost, type NetworkCost } from '../graph/cost.ts';
import { shapeOf, withInputShape, type Graph } from '../graph/graph.ts';
import type { Model } from '../models/read-model.ts';
import { distinctChoices, distinctForms } from '../scheduler/isolate.ts';
import { schedule, type ScheduleOptions } from '../scheduler/schedule.ts';
import type { Plan } from '../scheduler/plan.ts';
import { dtypes, type Dtype } from '../tensor/dtype.ts';
import { formatImageShape, sameImageShape, type ImageShape } from '../tensor/image-shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { ImagePreprocessor } from '../vision/image-preprocessor.ts';
import type { ImageSource } from '../vision/image-source.ts';
import { topK, type Classification } from '../vision/top-k.ts';
import { ConstantStore } from './constant-store.ts';
import { openDevice, withErrorScopes, type AdapterDescription, type DeviceOptions, type EngineDevice } from './device.ts';
import { Executor } from './executor.ts';
import { unpackActivation } from './layout.ts';
import { indexedDbTuningCache } from './indexed-db-cache.ts';
import { PacedQueue } from './paced-queue.ts';
import { PipelineCache } from './pipelines.ts';
import { imagesOf, isTensor, shapeOfInput, type SessionInput } from './session-input.ts';
import { PassTimer } from './timing.ts';
import { isKnown, lookUp, tuneNetwork, type TuningProgress, type TuningReport } from './tuner.ts';
import { tuningKey, type TunedSignature, type TuningCache } from './tuning-cache.ts';

/** What `createSession` is doing; `done` of `total`, in bytes or pipelines. Upload and compilation go on at the same time. */
export interface SessionProgress {
  readonly phase: 'upload' | 'compile';
  readonly done: number;
  readonly total: number;
}

/** `schedule` says how the network becomes dispatches: `optimized`, the default, or `reference`, which fuses epilogues only. */
export interface SessionOptions extends DeviceOptions, Pick<ScheduleOptions, 'schedule' | 'withoutPasses' | 'forcedPasses'> {
  /** How activations and weights are stored; sums are float32. `f16` takes an adapter with `shader-f16`, else it is `f32` again. Default `f32`. */
  readonly dtype?: Dtype;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: SessionProgress) => void;
  /** Where to look for what `tune()` found, and where it keeps it. Without, a session begins untuned, which is good already. */
  readonly tuning?: TuningCache;
}

export interface TuneOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: TuningProgress) => void;
  /**
   * Where results are kept; `null` is nowhere but in the session. Default the session's `tuning`, else IndexedDB where there
   * is one.
   */
  readonly cache?: TuningCache | null;
  /** Measures what is known already, too: the machine was busy then, for example. Default false. */
  readonly fresh?: boolean;
}

export interface RunOptions {
  /** Mirrors images left to right; tensors are taken as they are. Default false. */
  readonly flip?: boolean;
}

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
   * browsers round it to 0.1 ms or so.
   */
  readonly gpuTimeMs?: number;
}

/** Plans kept for input shapes that came by; each holds its own activations. */
const MAX_EXECUTORS = 4;

export class Session {
  readonly model: Model;
  readonly adapter: AdapterDescription;
  /** How activations and weights are stored. */
  readonly dtype: Dtype;
  /** Why `dtype` is not the one that was asked for. */
  readonly dtypeFallback: string | undefined;
  readonly #engine: EngineDevice;
  readonly #scheduleOptions: ScheduleOptions;
  readonly #tuning: TuningCache | undefined;
  readonly #pipelines: PipelineCache;
  readonly #constants: ConstantStore;
  readonly #executors = new Map<string, Executor>();
  readonly #queue: PacedQueue;
  readonly #timer: PassTimer | undefined;
  #preprocessor: ImagePreprocessor | undefined;
  #tuned: ReadonlyMap<string, TunedSignature> = new Map();
  /** Kernels to take instead of the predicted ones, by signature. */
  #choices: ReadonlyMap<string, string> = new Map();
  readonly #end = new AbortController();
  /** The last of those that wait for each other. */
  #turn: Promise<unknown> = Promise.resolve();
  #disposed = false;

  private constructor(model: Model, engine: EngineDevice, options: SessionOptions) {
    const { schedule, withoutPasses, forcedPasses, tuning, dtype = 'f32' } = options;
    this.model = model;
    this.dtypeFallback =
      dtype === 'f16' && !engine.hasF16 ? `${engine.adapter.name} has no shader-f16: stored as f32` : undefined;
    this.dtype = this.dtypeFallback === undefined ? dtype : 'f32';
    this.#scheduleOptions = {
      dtype: this.dtype, ...(schedule && { schedule }), ...(withoutPasses && { withoutPasses }), ...(forcedPasses && { forcedPasses }),
    };
    this.#tuning = tuning;
    this.adapter = engine.adapter;
    this.#engine = engine;
    this.#pipelines = new PipelineCache(engine.device, this.dtype);
    this.#constants = new ConstantStore(engine.device, model.weights);
    this.#queue = new PacedQueue(engine.device);
    this.#timer = engine.hasTimestamps ? new PassTimer(engine.device) : undefined;
  }

  /** See `createSession`. */
  static async create(model: Model, options: SessionOptions = {}): Promise<Session> {
    throwIfAborted(options.signal);
    if (options.dtype !== undefined && !dtypes.includes(options.dtype)) {
      throw new CompConvError('invalid-argument', `unknown dtype ${JSON.stringify(options.dtype)}; known are ${dtypes.join(', ')}`);
    }
    const session = new Session(model, await openDevice(options), options);
    try {
      await session.#lookUpTuning();
      await session.#guard(session.#prepare(shapeOf(model.graph, model.graph.input), options));
      return session;
    } catch (error) {
      session.dispose();
      throw error;
    }
  }

  get graph(): Graph {
    return this.model.graph;
  }

  /** MACs, parameters and bytes, per layer and total, for the model's own input shape. */
  get cost(): NetworkCost {
    return networkCost(this.graph);
  }

  /** The plan for the model's own input shape. */
  get plan(): Plan {
    return this.#plan(shapeOf(this.graph, this.graph.input));
  }

  /** Bytes on the GPU that this session holds. */
  get memory(): { readonly weightBytes: number; readonly activationBytes: number } {
    const activationBytes = [...this.#executors.values()].reduce((sum, executor) => sum + executor.byteLength, 0);
    return { weightBytes: this.#constants.byteLength, activationBytes };
  }

  /**
   * Runs the network. Runs that come at the same time wait for each other.
   * @returns the output: logits `[N, classes]`, or `[N, C, H, W]` of a network that does not end in a vector
   * @throws invalid-argument, invalid-graph, limit-exceeded for an input that does not fit; device-lost, gpu-validation, out-of-memory, disposed
   */
  async run(input: SessionInput, options: RunOptions = {}): Promise<Tensor> {
    return (await this.#enqueue(input, options, false)).output;
  }

  /** As `run`, with how long it took. */
  async runTimed(input: SessionInput, options: RunOptions = {}): Promise<RunResult> {
    return this.#enqueue(input, options, true);
  }

  /** The `topK` most likely classes of one image, best first; scores are probabilities. Default 5. */
  async classify(image: ImageSource, { topK: k = 5, ...options }: RunOptions & { topK?: number } = {}): Promise<Classification[]> {
    const logits = await this.run(image, options);
    return topK(logits.data, this.model.labels, k);
  }

  /**
   * Measures which kernels are fastest here, for inputs of the model's own shape, and uses them from then on. Takes seconds to
   * minutes; runs wait. What a cache or an earlier call knows is not measured again. Whatever goes wrong, the session runs on
   * as before.
   * @throws aborted, device-lost, gpu-validation, out-of-memory, disposed
   */
  tune(options: TuneOptions = {}): Promise<TuningReport> {
    return this.#inTurn(() => this.#tune(options));
  }

  /** Of the kinds of work in the plan that can be done in several ways, how many are tuned. */
  get tuned(): { readonly known: number; readonly total: number } {
    const choices = [...distinctForms(this.plan), ...distinctChoices(this.plan)];
    return { known: choices.filter((choice) => isKnown(choice, this.#tuned)).length, total: choices.length };
  }

  /** Frees everything on the GPU; again is harmless. A run in progress rejects with `disposed`. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#end.abort();
    this.#dropExecutors();
    this.#constants.destroy();
    this.#timer?.destroy();
    this.#preprocessor?.destroy();
    this.#engine.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #enqueue(input: SessionInput, options: RunOptions, timed: boolean): Promise<RunResult> {
    return this.#inTurn(() => this.#run(input, options, timed));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(() => this.#guard(work()));
    this.#turn = result.catch(() => {});
    return result;
  }

  /** Turns whatever goes wrong after a lost device or a dispose into the error that says so. */
  async #guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await Promise.race([work, this.#engine.lost]);
    } catch (error) {
      this.#throwIfDisposed();
      // A lost device fails the work first and resolves `lost` a moment later.
      if (!(error instanceof CompConvError)) await Promise.race([this.#engine.lost, new Promise((resolve) => setTimeout(resolve, 50))]);
      throw error;
    }
  }

  #throwIfDisposed(): void {
    if (this.#disposed) throw new CompConvError('disposed', 'the session was disposed; create a new one');
  }

  async #run(input: SessionInput, options: RunOptions, timed: boolean): Promise<RunResult> {
    this.#throwIfDisposed();
    const executor = await this.#prepare(shapeOfInput(this.graph, input));
    const { device } = this.#engine;
    // Compiled once, and no part of how long a run takes.
    if (!isTensor(input)) this.#preprocessor ??= await ImagePreprocessor.create(device, this.dtype);
    const start = performance.now();
    const images = isTensor(input) ? undefined : await this.#uploadImages(imagesOf(input), options, executor);
    const timer = timed ? this.#timer : undefined;
    try {
      const { value: packed, submits, encodeMs } = await this.#queue.run({
        name: this.graph.name,
        stages: images ? [images, executor] : [executor],
        timer,
        write: () => {
          if (isTensor(input)) executor.writeInput(input.data);
        },
        encodeAfter: (encoder) => executor.encodeReadback(encoder),
        read: () => executor.readOutput(),
        check: () => this.#throwIfDisposed(),
      });
      const latencyMs = performance.now() - start;
      const gpuTimeNs = await timer?.readNs();
      return {
        output: unpackActivation(packed, executor.outputShape),
        latencyMs,
        encodeMs,
        submits,
        ...(gpuTimeNs === undefined ? {} : { gpuTimeMs: gpuTimeNs / 1e6 }),
      };
    } finally {
      images?.release();
    }
  }

  async #lookUpTuning(): Promise<void> {
    const record = this.#tuning && (await lookUp(this.#tuning, tuningKey(this.adapter)));
    this.#tuned = new Map(Object.entries(record?.signatures ?? {}));
    this.#choices = new Map([...this.#tuned].map(([signature, { chosen }]) => [signature, chosen]));
  }

  async #tune({ signal, onProgress, cache = this.#tuning, fresh = false }: TuneOptions): Promise<TuningReport> {
    this.#throwIfDisposed();
    throwIfAborted(signal);
    const shape = shapeOf(this.graph, this.graph.input);
    // Their memory is needed; they are made again when they are.
    this.#dropExecutors();
    try {
      const { report, known, choices } = await tuneNetwork(
        {
          engine: this.#engine,
          queue: this.#queue,
          graph: this.graph,
          weights: this.model.weights,
          scheduleOptions: this.#scheduleOptions,
          pipelines: this.#pipelines,
          constants: this.#constants,
          signal: AbortSignal.any([this.#end.signal, ...(signal ? [signal] : [])]),
        },
        {
          cache: cache === undefined && typeof indexedDB !== 'undefined' ? indexedDbTuningCache() : (cache ?? undefined),
          known: this.#tuned,
          fresh,
          onProgress,
        },
      );
      this.#throwIfDisposed();
      this.#tuned = known;
      this.#choices = choices;
      await this.#prepare(shape);
      return report;
    } finally {
      this.#constants.keepOnly(this.#disposed ? new Set() : this.#plan(shape).constants);
    }
  }

  #dropExecutors(): void {
    for (const executor of this.#executors.values()) executor.destroy();
    this.#executors.clear();
  }

  #plan(shape: ImageShape): Plan {
    const graph = sameImageShape(shape, shapeOf(this.graph, this.graph.input)) ? this.graph : withInputShape(this.graph, shape);
    return schedule(graph, this.#engine.limits, { ...this.#scheduleOptions, choices: this.#choices });
  }

  /** The executor for an input shape; made if there is none yet. */
  async #prepare(shape: ImageShape, { signal, onProgress }: SessionOptions = {}): Promise<Executor> {
    const key = formatImageShape(shape);
    let executor = this.#executors.get(key);
    if (executor) {
      this.#executors.delete(key); // Back in below as the most recent one.
    } else {
      const { device } = this.#engine;
      const plan = this.#plan(shape);
      const compiling = this.#pipelines.compile(plan.dispatches, (done, total) => onProgress?.({ phase: 'compile', done, total }), signal);
      compiling.catch(() => {}); // Awaited below; an upload that fails first must not leave a rejection unhandled.
      await withErrorScopes(device, this.graph.name, () =>
        this.#constants.upload(plan.constants.values(), (done, total) => onProgress?.({ phase: 'upload', done, total }), signal),
      );
      const pipelines = await compiling;
      this.#throwIfDisposed();
      executor = await withErrorScopes(device, this.graph.name, () => new Executor(device, plan, pipelines, this.#pipelines, this.#constants));
      for (const [oldest, unused] of this.#executors) {
        if (this.#executors.size < MAX_EXECUTORS) break;
        unused.destroy();
        this.#executors.delete(oldest);
      }
    }
    this.#executors.set(key, executor);
    return executor;
  }

  async #uploadImages(images: readonly ImageSource[], options: RunOptions, executor: Executor) {
    const { preprocess } = this.model;
    if (!preprocess) {
      throw new CompConvError('invalid-argument', `${this.graph.name}: the model has no \`preprocess\`, so it takes tensors only, not images`);
    }
    return this.#preprocessor!.prepare(images, preprocess, executor.inputShape, executor.input, options);
  }
}

/**
 * Puts a model on the GPU: uploads its weights, compiles its kernels, allocates its activations.
 * @throws webgpu-unavailable, invalid-argument, limit-exceeded (before anything runs), gpu-validation, out-of-memory, device-lost, aborted
 */
export function createSession(model: Model, options?: SessionOptions): Promise<Session> {
  return Session.create(model, options);
}

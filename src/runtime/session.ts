// For `Symbol.dispose` in apps whose own `lib` does not have it.
/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A session: a network ready to run. It takes turns with the others on its device, runs on when the device was lost and there is
 * another one, and is gone for good after `dispose()`.
 *
 * The plan depends on the input's shape. One is made for the model's own shape at creation, others when such an input
 * comes; they share the weights and the compiled pipelines.
 */
import { CompConvError, show, throwIfAborted, type ErrorCode } from '../errors.ts';
import { networkCost, type NetworkCost } from '../graph/cost.ts';
import { graphParams, shapeOf, type Graph } from '../graph/graph.ts';
import type { Model } from '../models/read-model.ts';
import type { Plan } from '../scheduler/plan.ts';
import { dtypes, type Dtype } from '../tensor/dtype.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ImageSource } from '../vision/image-source.ts';
import { topK, type Classification } from '../vision/top-k.ts';
import { checkWeights } from '../weights/check.ts';
import { checkFinite, imageSize, joinResults, splitBatch } from './batches.ts';
import type { AdapterDescription } from './device.ts';
import { DeviceSource } from './device-source.ts';
import { GpuNetwork, type Network, type NetworkRunOptions, type PrepareOptions, type RunResult, type TappedResult } from './gpu-network.ts';
import type { GpuTensor } from './gpu-tensor.ts';
import { KernelSelection } from './kernel-selection.ts';
import { batchSize, checkOneImage, isGpuTensor, shapeOfInput, type SessionInput } from './session-input.ts';
import type { RunOptions, SessionMemory, SessionOptions, TuneOptions } from './session-options.ts';
import type { SelfTestOptions, SelfTestReport } from './self-test.ts';
import type { TuningReport } from './tuner.ts';

/**
 * A network on the GPU, ready to run; of `loadModel` or `createSession`. It holds memory there until `dispose()`, which `using` calls, too. A
 * lost device costs the run that was on it, and the next one gets another.
 */
export class Session {
  /** What computes. */
  readonly backend = 'webgpu';
  /** What was loaded: graph, preprocessing, labels. */
  readonly model: Omit<Model, 'weights'>;
  readonly #network: Network;
  readonly #options: SessionOptions;
  readonly #devices: DeviceSource;
  readonly #kernels: KernelSelection;
  readonly #end = new AbortController();
  /** On the device there is. Another one after that was lost. */
  #placed: GpuNetwork | undefined;
  #adapter: AdapterDescription | undefined;
  #plan: Plan | undefined;
  #ignoreLoss = () => {};
  #cost: NetworkCost | undefined;
  /** The most images at once that were found to fit, by their size. */
  readonly #largestBatch = new Map<string, number>();

  private constructor(network: Network, options: SessionOptions) {
    const { weights: _, ...model } = network;
    this.model = model;
    this.#network = network;
    this.#options = options;
    this.#kernels = new KernelSelection(network, options);
    this.#devices = options.ownDevice ? DeviceSource.own(options) : DeviceSource.share(options);
  }

  /** See `createSession`. */
  static async create(network: Network, options: SessionOptions = {}): Promise<Session> {
    const { dtype, signal, onProgress } = options;
    throwIfAborted(signal);
    if (dtype !== undefined && !dtypes.includes(dtype)) {
      throw new CompConvError('invalid-argument', `unknown dtype ${JSON.stringify(dtype)}; known are ${dtypes.join(', ')}`);
    }
    checkTensors(network);
    const session = new Session(network, options);
    try {
      await session.#place({
        signal,
        onUpload: (done, total) => onProgress?.({ phase: 'upload', done, total }),
        onCompile: (done, total) => onProgress?.({ phase: 'compile', done, total }),
      });
      return session;
    } catch (error) {
      session.dispose();
      throw error;
    }
  }

  /** The network as it was written down. */
  get graph(): Graph {
    return this.model.graph;
  }

  /** That the network is on now; another one may follow when it is lost. */
  get adapter(): AdapterDescription {
    return this.#adapter!;
  }

  /** The device that the network is on, for buffers and textures to share with it. @throws disposed; device-lost if it is on none */
  get device(): GPUDevice {
    this.#throwIfDisposed();
    if (!this.#placed) throw new CompConvError('device-lost', 'the GPU device was lost, and the session is on no other one yet; run again');
    return this.#placed.engine.device;
  }

  /** How activations and weights are stored. */
  get dtype(): Dtype {
    return this.#options.dtype === 'f16' && this.dtypeFallback === undefined ? 'f16' : 'f32';
  }

  /** Why `dtype` is not the one that was asked for. */
  get dtypeFallback(): string | undefined {
    if (this.#options.dtype !== 'f16' || this.adapter.features.includes('shader-f16')) return undefined;
    return `${this.adapter.name} has no shader-f16: stored as f32`;
  }

  /** MACs, parameters and bytes, per layer and total, for the model's own input shape. */
  get cost(): NetworkCost {
    return (this.#cost ??= networkCost(this.graph));
  }

  /** The plan for the model's own input shape. */
  get plan(): Plan {
    return this.#plan!;
  }

  /** What the session holds; nothing after `dispose()`. */
  get memory(): SessionMemory {
    return this.#placed?.memory ?? { weightBytes: 0, activationBytes: 0, pooledBytes: 0 };
  }

  /**
   * Runs the network. Runs that come at the same time wait for each other, and take turns with those of other sessions on the same
   * device. A batch that does not fit the adapter is run in parts.
   * @returns the output: logits `[N, classes]`, or `[N, C, H, W]` of a network that does not end in a vector
   * @throws invalid-argument, invalid-graph, limit-exceeded for an input that does not fit; non-finite, aborted, device-lost,
   * gpu-validation, out-of-memory, disposed
   */
  async run(input: SessionInput, options: RunOptions = {}): Promise<Tensor> {
    return (await this.#run(input, options, false)).output;
  }

  /** As `run`, with how long it took. */
  async runTimed(input: SessionInput, options: RunOptions = {}): Promise<RunResult> {
    const { taps: _, ...result } = await this.#run(input, options, true);
    return result;
  }

  /**
   * Values of inner layers, `[N, C, H, W]` or `[N, C]`, by the names that were asked for: those of the graph's nodes, or of a module, which
   * stands for its last node, such as `layer3` of a ResNet. The network runs to its end, with a plan of its own for these layers.
   * @throws invalid-argument for a name that there is not, with those that are close; what `run` does
   */
  async features(input: SessionInput, layers: readonly string[], options: RunOptions = {}): Promise<Record<string, Tensor>> {
    if (!Array.isArray(layers) || layers.length === 0) {
      throw new CompConvError('invalid-argument', `features: give a list of names, such as ["layer3"], got ${show(layers)}`);
    }
    return { ...(await this.#run(input, options, false, layers)).taps };
  }

  /**
   * As `run`, but the output stays on the GPU, in a buffer that is the caller's to destroy. It is not looked at, so that NaN goes
   * unnoticed, and the whole batch has to fit.
   * @throws what `run` does but for non-finite
   */
  async runOnGpu(input: SessionInput, { flip = false, signal }: Omit<RunOptions, 'allowNonFinite'> = {}): Promise<GpuTensor> {
    let work: Promise<GpuTensor> | undefined;
    const run = (placed: GpuNetwork) => (work = placed.runOnGpu(input, { flip, isTimed: false, signal, check: () => this.#check(signal) }));
    try {
      return await this.#inTurn(run, signal);
    } catch (error) {
      // Aborted, it may still come to its end, for nobody.
      void work?.then((tensor) => tensor.destroy(), () => {});
      throw error;
    }
  }

  /**
   * The `topK` most likely classes of one image, best first; scores are probabilities. Default 5.
   * @throws invalid-argument for a batch, too, which is for `run`; what `run` does
   */
  async classify(image: ImageSource, { topK: k = 5, ...options }: RunOptions & { topK?: number | undefined } = {}): Promise<Classification[]> {
    checkOneImage(image);
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
    return this.#inTurn((placed) => this.#tune(placed, options), options.signal);
  }

  /**
   * Tries every kernel in use, for inputs of the model's own shape, against the CPU on this adapter; takes a second or two, and runs
   * wait. A kernel that computes something else is not used any more. Where there is no other one, `ok` is false, and runs reject.
   * @throws aborted, device-lost, out-of-memory, disposed
   */
  selfTest(options: SelfTestOptions = {}): Promise<SelfTestReport> {
    return this.#inTurn((placed) => this.#selfTest(placed, options), options.signal);
  }

  /** Of the kinds of work in the plan that can be done in several ways, how many are tuned. */
  get tuned(): { readonly known: number; readonly total: number } {
    return this.#kernels.tuned(this.plan);
  }

  /** Frees everything on the GPU; again is harmless. A run in progress rejects with `disposed`. */
  dispose(): void {
    if (this.#end.signal.aborted) return;
    this.#end.abort();
    this.#leave();
    this.#devices.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
  }

  get #ownShape(): ImageShape {
    return shapeOf(this.graph, this.graph.input);
  }

  /** Does `work` with the network on a device, when it is this session's turn. */
  async #inTurn<T>(work: (placed: GpuNetwork) => Promise<T>, signal?: AbortSignal): Promise<T> {
    const turn = async () => {
      this.#throwIfDisposed();
      const placed = this.#placed?.engine.isLost === false ? this.#placed : await this.#place({ signal });
      const result = await placed.engine.whileAlive(work(placed));
      this.#devices.works();
      return result;
    };
    try {
      return await this.#devices.turns.take(this, turn, signal);
    } catch (error) {
      // Whatever else goes wrong after that.
      this.#throwIfDisposed();
      if (error instanceof CompConvError && error.code === 'device-lost') throw this.#lossError(error);
      throw error;
    }
  }

  /** Puts the network on the device there is now. */
  async #place(options: PrepareOptions): Promise<GpuNetwork> {
    this.#leave();
    const opened = await this.#devices.open();
    const { engine } = opened;
    this.#throwIfDisposed();
    this.#adapter = engine.adapter;
    await this.#kernels.moveTo(engine.adapter, this.#options.tuning);
    this.#throwIfDisposed();
    // Known while it is not ready yet, so that it is destroyed whatever happens.
    const placed = (this.#placed = new GpuNetwork(this.#network, opened, this.dtype, () => this.#kernels.scheduleOptions));
    this.#ignoreLoss = engine.onLost((error) => this.#options.onDeviceLost?.(this.#lossError(error)));
    this.#plan = (await engine.whileAlive(placed.prepare(this.#ownShape, options))).plan;
    this.#throwIfDisposed();
    return placed;
  }

  #leave(): void {
    this.#ignoreLoss();
    this.#placed?.destroy();
    this.#placed = undefined;
    // Another device may have more room.
    this.#largestBatch.clear();
  }

  #lossError({ message, cause }: CompConvError): CompConvError {
    const advice = this.#devices.isRenewable ? 'run again: the session gets another one' : 'create a session with another one';
    return new CompConvError('device-lost', `${message}; ${advice}`, { cause });
  }

  /** Between submits. */
  #check(signal: AbortSignal | undefined): void {
    this.#throwIfDisposed();
    throwIfAborted(signal);
    if (!this.#kernels.isBroken) return;
    throw new CompConvError(
      'gpu-validation',
      `${this.graph.name}: a kernel computes something else on ${this.adapter.name}, as selfTest() found, and there is no other one: ` +
        "update the graphics driver, or load the model with `backend: 'wasm'` there",
    );
  }

  #throwIfDisposed(): void {
    if (this.#end.signal.aborted) throw new CompConvError('disposed', 'the session was disposed; create a new one');
  }

  async #run(
    input: SessionInput,
    { flip = false, signal, allowNonFinite }: RunOptions,
    isTimed: boolean,
    keep: readonly string[] = [],
  ): Promise<TappedResult> {
    shapeOfInput(this.graph, input); // Here, before anything looks at what may be no input.
    const check = () => this.#check(signal);
    const result = await this.#inTurn((placed) => this.#runInParts(placed, input, { flip, keep, isTimed, signal, check }), signal);
    if (!allowNonFinite) for (const tensor of [result.output, ...Object.values(result.taps)]) checkFinite(tensor, this.graph.name);
    return result;
  }

  /** A batch as a whole if that fits and no dispatch of it lasts too long, else in parts. */
  async #runInParts(placed: GpuNetwork, input: SessionInput, options: NetworkRunOptions): Promise<TappedResult> {
    const images = batchSize(input);
    const key = imageSize(input);
    let most = this.#largestBatch.get(key) ?? Infinity;
    if (images <= most) {
      try {
        most = images === 1 || isGpuTensor(input) ? images : await placed.imagesAtOnce(input, options);
        if (images <= most) return await placed.run(input, options);
      } catch (error) {
        if (images === 1 || isGpuTensor(input) || !(error instanceof CompConvError) || !DOES_NOT_FIT.includes(error.code)) throw error;
        most = Math.ceil(images / 2);
        this.#largestBatch.set(key, most);
      }
    }
    const results: TappedResult[] = [];
    for (const part of splitBatch(input, most)) results.push(await this.#runInParts(placed, part, options));
    return joinResults(results);
  }

  async #selfTest(placed: GpuNetwork, options: SelfTestOptions): Promise<SelfTestReport> {
    const { excluded } = this.#kernels;
    const report = await this.#kernels.selfTest(placed, options);
    this.#throwIfDisposed();
    if (this.#kernels.excluded !== excluded) {
      placed.dropExecutors();
      this.#plan = (await placed.prepare(this.#ownShape, { signal: options.signal })).plan;
    }
    return report;
  }

  async #tune(placed: GpuNetwork, options: TuneOptions): Promise<TuningReport> {
    const { signal, onProgress, cache = this.#options.tuning, fresh = false } = options;
    const { constants } = placed;
    const signals = [this.#end.signal, ...(signal ? [signal] : [])];
    try {
      const report = await this.#kernels.tune(placed, { cache, fresh, onProgress, signal: AbortSignal.any(signals) });
      this.#throwIfDisposed();
      this.#plan = (await placed.prepare(this.#ownShape, { signal })).plan;
      return report;
    } catch (error) {
      placed.dropExecutors(); // They may want constants that go below.
      throw error;
    } finally {
      if (!this.#end.signal.aborted) constants.keepOnly(placed.plan(this.#ownShape).constants);
    }
  }
}

/** @throws invalid-weights; more tensors than the graph's do no harm */
function checkTensors({ graph, weights }: Network): void {
  const expected = graphParams(graph);
  checkWeights(expected, { shapes: new Map([...weights.shapes].filter(([name]) => expected.has(name))) }, graph.name);
}

/** Codes of what a smaller batch may help against. */
const DOES_NOT_FIT: readonly ErrorCode[] = ['limit-exceeded', 'out-of-memory'];

/**
 * Puts a model on the GPU: uploads its weights, compiles its kernels, allocates its activations.
 * @throws webgpu-unavailable, invalid-argument, invalid-weights, limit-exceeded (before anything runs), gpu-validation, out-of-memory, device-lost,
 * aborted
 */
export function createSession(model: Model, options?: SessionOptions): Promise<Session> {
  return Session.create(model, options);
}

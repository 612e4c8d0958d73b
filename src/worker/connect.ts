/**
 * The page's side: the engine in a worker, with the API of `loadModel` and `Session`. What a session tells without being asked is as of
 * its last answer.
 */
import { CompConvError } from '../errors.ts';
import type { NetworkCost } from '../graph/cost.ts';
import type { Graph } from '../graph/graph.ts';
import type { AdapterDescription } from '../runtime/device.ts';
import type { RunResult } from '../runtime/gpu-network.ts';
import type { FallbackOptions, LoadedModel } from '../load/load-model.ts';
import type { ModelSource } from '../models/read-model.ts';
import type { Session } from '../runtime/session.ts';
import type { RunOptions, SessionMemory, TuneOptions } from '../runtime/session-options.ts';
import type { SelfTestOptions, SelfTestReport } from '../runtime/self-test.ts';
import { checkOneImage, type SessionInput } from '../runtime/session-input.ts';
import type { TuningReport } from '../runtime/tuner.ts';
import type { Dtype } from '../tensor/dtype.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ImageSource } from '../vision/image-source.ts';
import type { Classification } from '../vision/top-k.ts';
import { Connection, type CallOptions } from './connection.ts';
import type { ResultReply, SessionFacts, SessionMethod, SessionState } from './protocol.ts';
import { closeCopies, crossingInput, crossingSource, transfersOf } from './transfer.ts';

/** What `loadModel` takes but a worker cannot be sent: `serve` takes it there. */
const STAY_THERE = ['device', 'adapter', 'gpu', 'fetch', 'tuning'] as const;

/** Options of `loadModel` that cross to a worker; give the others to `serve`. */
export interface RemoteLoadOptions extends Omit<FallbackOptions, 'device' | 'adapter' | 'gpu' | 'fetch' | 'tuning' | 'cache'> {
  /** `true` for the cache of `openModelCache()`; one of your own is `serve`'s to have. */
  readonly cache?: boolean | undefined;
}

/** For `connect`. */
export interface ConnectOptions {
  /** How long the worker's script may take to load and to call `serve()`. Default 30 seconds. */
  readonly timeoutMs?: number | undefined;
}

/** The engine in a worker. */
export interface RemoteEngine {
  /**
   * As `loadModel`; an address is resolved against this page's, the memory of bytes is transferred.
   * @throws what `loadModel` does; io if the worker fails, ends, or does not call `serve`
   */
  loadModel(source: ModelSource, options?: RemoteLoadOptions): Promise<RemoteSession>;
  /** Disposes of all its sessions. The worker is the app's to terminate. */
  dispose(): void;
}

/**
 * Connects to a worker that calls `serve()`. The app makes it, so that its bundler finds the script:
 * `connect(new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }))`.
 */
export function connect(worker: Worker, { timeoutMs = 30_000 }: ConnectOptions = {}): RemoteEngine {
  const connection = new Connection(worker, timeoutMs);
  return {
    async loadModel(source, options = {}) {
      refuseUnfit(options);
      const { signal, onProgress, onDeviceLost, ...rest } = options;
      const from = crossingSource(source);
      const transfer = transfersOf(from);
      const loaded = await connection.call({ method: 'loadModel', source: from, options: rest }, { signal, onProgress, transfer });
      return new RemoteSession(connection, loaded, onDeviceLost);
    },
    dispose: () => connection.end(),
  };
}

/** @throws invalid-argument */
function refuseUnfit(options: FallbackOptions): void {
  const unfit = STAY_THERE.find((name) => options[name] !== undefined) ?? (typeof options.cache === 'object' ? 'cache' : undefined);
  if (unfit) throw new CompConvError('invalid-argument', `loadModel: \`${unfit}\` does not cross to a worker: give it to \`serve\` there`);
}

/**
 * A session in a worker. Inputs are transferred: the memory of tensors, raw images and ImageData, ImageBitmaps and VideoFrames are gone
 * here afterwards. Of a view of a larger buffer, a canvas, `<img>` or `<video>` a copy is.
 */
export class RemoteSession {
  readonly graph: Graph;
  readonly labels: readonly string[] | undefined;
  readonly cost: NetworkCost;
  readonly #connection: Connection;
  readonly #session: number;
  #state: SessionState;
  #isDisposed = false;

  /** For `connect`. */
  constructor(connection: Connection, { call, result, state }: ResultReply, onDeviceLost: ((error: CompConvError) => void) | undefined) {
    ({ graph: this.graph, labels: this.labels, cost: this.cost } = result as SessionFacts);
    this.#connection = connection;
    this.#session = call;
    this.#state = state!;
    if (onDeviceLost) connection.onLost(call, onDeviceLost);
  }

  /** See `Session`; as of the last answer. What is about a GPU is undefined where the fallback runs. */
  get backend(): LoadedModel['backend'] {
    return this.#state.backend;
  }
  /** Why it is not WebGPU that computes, where it is not. */
  get reason(): string | undefined {
    return this.#state.reason;
  }
  get adapter(): AdapterDescription | undefined {
    return this.#state.adapter;
  }
  get dtype(): Dtype | undefined {
    return this.#state.dtype;
  }
  get dtypeFallback(): string | undefined {
    return this.#state.dtypeFallback;
  }
  get memory(): SessionMemory {
    return this.#state.memory;
  }
  get tuned(): Session['tuned'] | undefined {
    return this.#state.tuned;
  }

  /** See `Session.run`. */
  run(input: SessionInput, options: RunOptions = {}): Promise<Tensor> {
    return this.#feed('run', input, options);
  }

  /** See `Session.runTimed`. */
  runTimed(input: SessionInput, options: RunOptions = {}): Promise<RunResult> {
    return this.#feed('runTimed', input, options);
  }

  /** See `Session.classify`. */
  async classify(image: ImageSource, options: RunOptions & { topK?: number | undefined } = {}): Promise<Classification[]> {
    // Here, before the images are gone.
    checkOneImage(image);
    return this.#feed('classify', image, options);
  }

  /** See `Session.features`. */
  features(input: SessionInput, layers: readonly string[], options: RunOptions = {}): Promise<Record<string, Tensor>> {
    return this.#feed('features', input, options, layers);
  }

  /** See `Session.selfTest`. */
  selfTest({ signal, onProgress }: SelfTestOptions = {}): Promise<SelfTestReport> {
    return this.#call('selfTest', [], { signal, onProgress });
  }

  /** See `Session.tune`; a cache of your own is `serve`'s to have. */
  tune({ signal, onProgress, fresh }: Omit<TuneOptions, 'cache'> = {}): Promise<TuningReport> {
    return this.#call('tune', [undefined, { fresh }], { signal, onProgress });
  }

  /** See `Session.dispose`. */
  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#state = { ...this.#state, memory: { weightBytes: 0, activationBytes: 0, pooledBytes: 0 } };
    this.#connection.onLost(this.#session, undefined);
    // What it rejects with concerns nobody any more.
    this.#connection.call({ method: 'dispose', session: this.#session, args: [] }).catch(() => {});
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
  }

  async #feed<T>(method: SessionMethod, input: SessionInput, { signal, ...options }: RunOptions, layers?: readonly string[]): Promise<T> {
    const given = await crossingInput(input);
    try {
      return await this.#call(method, [given, options, layers], { signal, transfer: transfersOf(given) });
    } catch (error) {
      closeCopies(given, input);
      throw error;
    }
  }

  async #call<T>(method: SessionMethod, args: readonly unknown[], options: CallOptions): Promise<T> {
    if (this.#isDisposed) throw new CompConvError('disposed', 'the session was disposed; load the model again');
    const { result, state } = await this.#connection.call({ method, session: this.#session, args }, options);
    if (state && !this.#isDisposed) this.#state = state;
    return result as T;
  }
}

/**
 * The page's side: the engine in a worker, with the API of `loadModel` and `Session`. What a session tells without being asked is as of
 * its last answer.
 */
import { abortError, CompConvError, throwIfAborted } from '../errors.ts';
import type { NetworkCost } from '../graph/cost.ts';
import type { Graph } from '../graph/graph.ts';
import type { AdapterDescription } from '../runtime/device.ts';
import type { RunResult } from '../runtime/gpu-network.ts';
import type { LoadModelOptions } from '../load/load-model.ts';
import type { ModelSource } from '../models/read-model.ts';
import type { RunOptions, SessionMemory, TuneOptions } from '../runtime/session.ts';
import type { SelfTestOptions, SelfTestReport } from '../runtime/self-test.ts';
import type { SessionInput } from '../runtime/session-input.ts';
import type { TuningReport } from '../runtime/tuner.ts';
import type { Dtype } from '../tensor/dtype.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ImageSource } from '../vision/image-source.ts';
import type { Classification } from '../vision/top-k.ts';
import { PORT, type Reply, type Request, type SessionFacts, type SessionMethod, type SessionState } from './protocol.ts';
import { crossing, transfersOf } from './transfer.ts';

/** Options of `loadModel` that cross to a worker; give the others to `serve`. */
export type RemoteLoadOptions = Omit<LoadModelOptions, 'device' | 'adapter' | 'gpu' | 'fetch' | 'tuning'>;
const STAY_HERE = ['device', 'adapter', 'gpu', 'fetch', 'tuning'] as const;

/** The engine in a worker. */
export interface RemoteEngine {
  /** As `loadModel`; an address is resolved against this page's, bytes are transferred. @throws what `loadModel` does; io if the worker fails */
  loadModel(source: ModelSource, options?: RemoteLoadOptions): Promise<RemoteSession>;
  /** Disposes of all its sessions. The worker is the app's to terminate. */
  dispose(): void;
}

interface Call {
  resolve(reply: Extract<Reply, { result: unknown }>): void;
  reject(error: CompConvError): void;
  onProgress?: ((progress: never) => void) | undefined;
}

/**
 * Connects to a worker that calls `serve()`. The app makes it, so that its bundler finds the script:
 * `connect(new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }))`.
 */
export function connect(worker: Worker): RemoteEngine {
  const connection = new Connection(worker);
  return {
    async loadModel(source, options = {}) {
      const unfit = STAY_HERE.find((name) => (options as Record<string, unknown>)[name] !== undefined);
      if (unfit) throw new CompConvError('invalid-argument', `\`${unfit}\` does not cross to a worker: give it to \`serve\` there`);
      const { signal, onProgress, onDeviceLost, ...rest } = options;
      const from = typeof source === 'string' || source instanceof URL ? new URL(source, globalThis.location?.href).href : source;
      const reply = await connection.call({ method: 'loadModel', source: from, options: rest }, { signal, onProgress, transfer: transfersOf(from) });
      return new RemoteSession(connection, reply, onDeviceLost);
    },
    dispose: () => connection.close(),
  };
}

type Body = { method: 'loadModel'; source: unknown; options: object } | { method: SessionMethod; session: number; args: readonly unknown[] };
interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: never) => void) | undefined;
  readonly transfer?: Transferable[];
}

class Connection {
  readonly #port: MessagePort;
  readonly #calls = new Map<number, Call>();
  readonly #sessions = new Map<number, RemoteSession>();
  #last = 0;
  #end: CompConvError | undefined;

  constructor(worker: Worker) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.onmessage = ({ data }: MessageEvent<Reply>) => this.#receive(data);
    worker.addEventListener('error', ({ message }) => this.#fail(`the worker failed: ${message || 'its script does not load'}`));
    worker.addEventListener('messageerror', () => this.#fail('the worker could not read a message'));
    worker.postMessage({ [PORT]: port2 }, [port2]);
  }

  /** @throws what the worker answers; aborted at once, whatever the worker is doing */
  async call(body: Body, { signal, onProgress, transfer = [] }: CallOptions = {}): Promise<Extract<Reply, { result: unknown }>> {
    if (this.#end) throw this.#end;
    throwIfAborted(signal);
    const call = ++this.#last;
    let onAbort = () => {};
    try {
      return await new Promise((resolve, reject) => {
        onAbort = () => {
          this.#port.postMessage({ cancel: call } satisfies Request);
          reject(abortError(signal!));
        };
        signal?.addEventListener('abort', onAbort);
        this.#calls.set(call, { resolve, reject, onProgress });
        this.#port.postMessage({ call, ...body } as Request, transfer);
      });
    } catch (error) {
      if (error instanceof CompConvError) throw error;
      throw new CompConvError('invalid-argument', `${body.method}: this does not cross to a worker: ${(error as Error).message}`, { cause: error });
    } finally {
      signal?.removeEventListener('abort', onAbort);
      this.#calls.delete(call);
    }
  }

  add(session: number, remote: RemoteSession): void {
    this.#sessions.set(session, remote);
  }

  remove(session: number): void {
    this.#sessions.delete(session);
  }

  close(): void {
    for (const session of [...this.#sessions.values()]) session.dispose();
    this.#end ??= new CompConvError('disposed', 'the connection to the worker was disposed; connect again');
    for (const { reject } of this.#calls.values()) reject(this.#end);
  }

  #receive(reply: Reply): void {
    if ('lost' in reply) return this.#sessions.get(reply.lost)?.lose(unpackError(reply.error));
    const call = this.#calls.get(reply.call);
    if ('progress' in reply) return call?.onProgress?.(reply.progress as never);
    if ('error' in reply) return call?.reject(unpackError(reply.error));
    call?.resolve(reply);
  }

  #fail(message: string): void {
    this.#end ??= new CompConvError('io', `${message}; does it call \`serve()\` of compconv-webgpu/worker?`);
    for (const { reject } of this.#calls.values()) reject(this.#end);
  }
}

/** A session in a worker. Inputs are transferred: the memory of tensors, ImageBitmaps and VideoFrames is gone here afterwards. */
export class RemoteSession {
  readonly graph: Graph;
  readonly labels: readonly string[] | undefined;
  readonly cost: NetworkCost;
  readonly #connection: Connection;
  readonly #session: number;
  readonly #onDeviceLost: ((error: CompConvError) => void) | undefined;
  #state: SessionState;
  #isDisposed = false;

  constructor(connection: Connection, { session, result, state }: Extract<Reply, { result: unknown }>, onDeviceLost?: (error: CompConvError) => void) {
    ({ graph: this.graph, labels: this.labels, cost: this.cost } = result as SessionFacts);
    this.#connection = connection;
    this.#session = session;
    this.#state = state!;
    this.#onDeviceLost = onDeviceLost;
    connection.add(session, this);
  }

  /** See `Session`; as of the last answer. What is about a GPU is undefined where the fallback runs. */
  get backend(): SessionState['backend'] {
    return this.#state.backend;
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
  get tuned(): SessionState['tuned'] {
    return this.#state.tuned;
  }

  run(input: SessionInput, options: RunOptions = {}): Promise<Tensor> {
    return this.#feed('run', input, options);
  }

  runTimed(input: SessionInput, options: RunOptions = {}): Promise<RunResult> {
    return this.#feed('runTimed', input, options);
  }

  classify(image: ImageSource, options: RunOptions & { topK?: number } = {}): Promise<Classification[]> {
    return this.#feed('classify', image, options);
  }

  async features(input: SessionInput, layers: readonly string[], { signal, ...options }: RunOptions = {}): Promise<Record<string, Tensor>> {
    const given = await crossing(input);
    return this.#call('features', [given, layers, options], { signal, transfer: transfersOf(given) });
  }

  selfTest({ signal, onProgress }: SelfTestOptions = {}): Promise<SelfTestReport> {
    return this.#call('selfTest', [], { signal, onProgress });
  }

  /** See `Session.tune`; a cache of your own is `serve`'s to have. */
  tune({ signal, onProgress, fresh }: Omit<TuneOptions, 'cache'> = {}): Promise<TuningReport> {
    return this.#call('tune', [undefined, { fresh }], { signal, onProgress });
  }

  dispose(): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    this.#connection.remove(this.#session);
    // What it rejects with concerns nobody any more.
    this.#connection.call({ method: 'dispose', session: this.#session, args: [] }).catch(() => {});
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
  }

  /** For the connection: the worker's device was lost. */
  lose(error: CompConvError): void {
    this.#onDeviceLost?.(error);
  }

  async #feed<T>(method: SessionMethod, input: SessionInput, { signal, ...options }: RunOptions): Promise<T> {
    const given = await crossing(input);
    return this.#call(method, [given, options], { signal, transfer: transfersOf(given) });
  }

  async #call<T>(method: SessionMethod, args: readonly unknown[], options: CallOptions): Promise<T> {
    if (this.#isDisposed) throw new CompConvError('disposed', 'the session was disposed; load the model again');
    const { result, state } = await this.#connection.call({ method, session: this.#session, args }, options);
    if (state) this.#state = state;
    return result as T;
  }
}

function unpackError({ code, message }: Extract<Reply, { error: object }>['error']): CompConvError {
  return new CompConvError(code, message);
}

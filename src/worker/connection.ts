/**
 * The page's end of the port to a worker: calls and their answers. Whatever becomes of the worker, no call is left without an end, and
 * nothing that the page does not know of is left in the worker.
 */
import { abortError, CompConvError, throwIfAborted } from '../errors.ts';
import { watchLifeline } from './lifeline.ts';
import { PORT, unpackError, type CallRequest, type Introduction, type Reply, type Request, type ResultReply } from './protocol.ts';

export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: never) => void) | undefined;
  readonly transfer?: Transferable[];
}

interface Call {
  resolve(reply: ResultReply): void;
  reject(error: unknown): void;
  readonly onProgress: ((progress: never) => void) | undefined;
}

/** A question without its number. */
type Question<T = CallRequest> = T extends CallRequest ? Omit<T, 'call'> : never;

export class Connection {
  readonly #port: MessagePort;
  readonly #calls = new Map<number, Call>();
  /** Who wants to know that a session's device was lost. */
  readonly #losses = new Map<number, (error: CompConvError) => void>();
  #last = 0;
  /** Why there is nothing more to ask. */
  #end: CompConvError | undefined;
  readonly #lifeline = `compconv-webgpu ${Math.random()}`;
  readonly #unwatch = new AbortController();
  readonly #stopWaiting: () => void;

  constructor(worker: Worker, timeoutMs: number) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.onmessage = ({ data }: MessageEvent<Reply>) => this.#receive(data);
    port1.onmessageerror = () => this.#fail('an answer of the worker could not be read');

    const advice = 'does its script call `serve()` of compconv-webgpu/worker, before anything is awaited?';
    const onError = ({ message }: ErrorEvent) => this.#fail(`the worker failed: ${message || 'its script does not load'}`);
    const timer = setTimeout(() => this.#fail(`the worker has not answered for ${timeoutMs} ms; ${advice}`), timeoutMs);
    // Once it serves, errors of the app's in it are the app's.
    this.#stopWaiting = () => {
      clearTimeout(timer);
      worker.removeEventListener('error', onError);
    };
    worker.addEventListener('error', onError);
    worker.postMessage({ [PORT]: port2, lifeline: this.#lifeline } satisfies Introduction, [port2]);
  }

  /** @throws what the worker answers; aborted at once, whatever the worker is doing; invalid-argument for what does not cross */
  async call(question: Question, { signal, onProgress, transfer = [] }: CallOptions = {}): Promise<ResultReply> {
    if (this.#end) throw this.#end;
    throwIfAborted(signal);
    const call = ++this.#last;
    const onAbort = () => this.#cancel(call, abortError(signal!));
    try {
      return await new Promise((resolve, reject) => {
        this.#send({ call, ...question } as CallRequest, transfer);
        this.#calls.set(call, { resolve, reject, onProgress });
        signal?.addEventListener('abort', onAbort);
      });
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Calls `listener` when a session's device was lost. */
  onLost(session: number, listener: ((error: CompConvError) => void) | undefined): void {
    if (listener) this.#losses.set(session, listener);
    else this.#losses.delete(session);
  }

  /** The worker disposes of everything that came by this connection. */
  end(): void {
    this.#close(new CompConvError('disposed', 'the connection to the worker was disposed; connect again'));
  }

  #send(request: Request, transfer: Transferable[] = []): void {
    try {
      this.#port.postMessage(request, transfer);
    } catch (cause) {
      const what = 'method' in request ? request.method : 'the connection';
      throw new CompConvError('invalid-argument', `${what}: this does not cross to a worker: ${(cause as Error).message}`, { cause });
    }
  }

  #receive(reply: Reply): void {
    if ('ready' in reply) return this.#begin(reply.hasLifeline);
    if ('lost' in reply) return this.#losses.get(reply.lost)?.(unpackError(reply.error));
    const call = this.#calls.get(reply.call);
    // Cancelled meanwhile; the worker is told.
    if (!call) return;
    if ('progress' in reply) return this.#tell(reply.call, call, reply.progress);
    this.#calls.delete(reply.call);
    if ('error' in reply) call.reject(unpackError(reply.error));
    else call.resolve(reply);
  }

  #begin(hasLifeline: boolean): void {
    this.#stopWaiting();
    if (hasLifeline) watchLifeline(this.#lifeline, () => this.#fail('the worker is gone: it was terminated, or crashed'), this.#unwatch.signal);
  }

  /** What a listener throws ends the call, as without a worker. */
  #tell(number: number, { onProgress }: Call, progress: unknown): void {
    try {
      onProgress?.(progress as never);
    } catch (error) {
      this.#cancel(number, error);
    }
  }

  #cancel(number: number, error: unknown): void {
    const call = this.#calls.get(number);
    if (!call) return;
    this.#calls.delete(number);
    this.#send({ cancel: number });
    call.reject(error);
  }

  #fail(message: string): void {
    this.#close(new CompConvError('io', message));
  }

  #close(error: CompConvError): void {
    if (this.#end) return;
    this.#end = error;
    this.#stopWaiting();
    this.#unwatch.abort();
    this.#send({ end: true });
    this.#port.close();
    this.#losses.clear();
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
  }
}

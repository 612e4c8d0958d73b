/** The page's side of its worker: a task is a promise, ending the worker cancels it, the next task starts another one. */
import { CompConvError, invariant } from '../../src/errors.ts';
import type { BenchNetwork, BenchProgress } from '../options.ts';
import type { BenchReport } from '../report.ts';
import type { BenchRequest } from '../request.ts';
import type { Machine } from './machine.ts';
import type { WorkerReply, WorkerTask } from './worker-messages.ts';

/** One task at a time; the page sees to it. */
export class BenchWorker {
  #worker: Worker | undefined;
  /** Of the task that is going on. */
  #reject: ((error: unknown) => void) | undefined;

  /** @throws webgpu-unavailable */
  async describe(): Promise<Machine> {
    const reply = await this.#perform({ type: 'describe' }, 'machine');
    return reply.machine;
  }

  /** @throws what the harness throws; aborted by `terminate` */
  async run(
    request: BenchRequest,
    versions: Record<string, string>,
    onProgress: (progress: BenchProgress) => void,
  ): Promise<BenchReport> {
    try {
      const reply = await this.#perform({ type: 'run', request, versions }, 'report', (message) => {
        if (message.type === 'progress') onProgress(message.progress);
      });
      return reply.report;
    } finally {
      // Other engines keep memory, threads and a GPU device for as long as their worker lives; the next run begins afresh.
      this.terminate();
    }
  }

  /** The network as an ONNX file. @throws what `exportOnnx` throws; aborted by `terminate` */
  async exportOnnx(
    network: BenchNetwork,
    request: BenchRequest,
    onProgress: (doneBytes: number, totalBytes: number) => void,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const { size, batch, seed } = request;
    const task: WorkerTask = { type: 'export', network, request: { batch, seed, ...(size !== undefined && { size }) } };
    const reply = await this.#perform(task, 'exported', (message) => {
      if (message.type === 'exporting') onProgress(message.doneBytes, message.totalBytes);
    });
    return reply.bytes;
  }

  /** Ends the task at once, whatever it is in the middle of, and gives back all that it held of the GPU. */
  terminate(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#reject?.(new CompConvError('aborted', 'cancelled'));
  }

  async #perform<T extends WorkerReply['type']>(
    task: WorkerTask,
    last: T,
    onReply: (reply: WorkerReply) => void = () => {},
  ): Promise<WorkerReply & { readonly type: T }> {
    invariant(!this.#reject, 'two tasks at once in one worker');
    const worker = (this.#worker ??= new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }));
    const done = new Promise<WorkerReply & { readonly type: T }>((resolve, reject) => {
      this.#reject = reject;
      worker.onmessage = ({ data }: MessageEvent<WorkerReply>) => {
        if (data.type === 'error') reject(new CompConvError(data.code ?? 'internal', data.message));
        else if (data.type === last) resolve(data as WorkerReply & { readonly type: T });
        else onReply(data);
      };
      // Its script did not load, or an error that nobody caught.
      worker.onerror = (event) => {
        worker.terminate();
        this.#worker = undefined;
        reject(
          new CompConvError(
            'internal',
            event.message || 'the program that measures could not be loaded: is the server still running?',
          ),
        );
      };
      worker.postMessage(task);
    });
    return done.finally(() => (this.#reject = undefined));
  }
}

/**
 * The device's queue, for work that may last long: it goes out in as few submits as keep each short (`pace.ts`), a submit once the one
 * before it is done. What is short altogether is one submit, with nothing to wait for in between.
 */
import { withErrorScopes } from './device.ts';
import { Pace, pieceEnd } from './pace.ts';
import type { PassTimer } from './timing.ts';

/** Steps of a compute pass. */
export interface Stage {
  readonly label: string;
  /** Of each step, in MACs or what takes as long. */
  readonly work: readonly number[];
  /** Records the steps from `from` to the one before `to`. */
  record(pass: GPUComputePassEncoder, from: number, to: number): void;
}

/** What to submit, and what to wait for. */
export interface Job<T> {
  /** For errors. */
  readonly name: string;
  /** In order. Each has a pass of its own in every submit that it is part of. */
  readonly stages: readonly Stage[];
  /** Times the last stage; `readNs` is the caller's. */
  readonly timer?: PassTimer | undefined;
  /** Writes the inputs, before anything is recorded. */
  readonly write?: () => void;
  /** Records what follows the stages. */
  readonly encodeAfter?: (encoder: GPUCommandEncoder) => void;
  /** Called right after the last submit; resolves when that is done. */
  readonly read: () => Promise<T>;
  /** Called before each submit; what it throws ends the job there. */
  readonly check?: () => void;
}

export interface JobResult<T> {
  /** What `read` gave. */
  readonly value: T;
  readonly submits: number;
  /** What the CPU took to record and submit. */
  readonly encodeMs: number;
}

export class PacedQueue {
  readonly #device: GPUDevice;
  readonly pace: Pick<Pace, 'budget' | 'dispatchBudget' | 'observe'>;

  constructor(device: GPUDevice, pace: Pick<Pace, 'budget' | 'dispatchBudget' | 'observe'> = new Pace()) {
    this.#device = device;
    this.pace = pace;
  }

  /** Runs a job. One at a time, or their rates are wrong. @throws gpu-validation, out-of-memory; whatever `read` and `check` do */
  async run<T>(job: Job<T>): Promise<JobResult<T>> {
    const { name, stages, check } = job;
    const work = stages.flatMap((stage) => stage.work);
    let encodeMs = 0;
    let [doneWork, doneMs] = [0, 0];
    for (let from = 0, submits = 1; ; submits++) {
      check?.();
      const to = pieceEnd(work, from, this.pace.budget);
      const isLast = to === work.length;
      const wait: () => Promise<T | undefined> = isLast ? job.read : () => this.#device.queue.onSubmittedWorkDone();
      let begin = 0;
      // Scopes are for what is recorded at once, so each piece has its own.
      const value = await withErrorScopes(this.#device, name, () => {
        if (from === 0) job.write?.();
        begin = performance.now();
        this.#submit(job, from, to);
        encodeMs += performance.now() - begin;
        return wait();
      });
      doneWork += work.slice(from, to).reduce((sum, each) => sum + each, 0);
      doneMs += performance.now() - begin;
      // All pieces together: one alone may be of quick layers only.
      this.pace.observe(doneWork, doneMs);
      if (isLast) return { value: value as T, submits, encodeMs };
      from = to;
    }
  }

  /** Records and submits the steps from `from` to the one before `to`, counted through all stages. */
  #submit({ name, stages, timer, encodeAfter }: Job<unknown>, from: number, to: number): void {
    const encoder = this.#device.createCommandEncoder({ label: name });
    let end = 0;
    for (const [index, stage] of stages.entries()) {
      const { label, work } = stage;
      const start = end;
      end += work.length;
      if (to <= start || end <= from) continue;
      const timestampWrites = index === stages.length - 1 ? timer?.writes(from <= start, end <= to) : undefined;
      const pass = encoder.beginComputePass({ label, ...(timestampWrites && { timestampWrites }) });
      stage.record(pass, Math.max(from, start) - start, Math.min(to, end) - start);
      pass.end();
    }
    if (end === to) {
      timer?.encodeResolve(encoder);
      encodeAfter?.(encoder);
    }
    this.#device.queue.submit([encoder.finish()]);
  }
}

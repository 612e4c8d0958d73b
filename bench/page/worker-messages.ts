/** What the page and its worker say to each other: plain data, one task at a time. */
import type { ErrorCode } from '../../src/errors.ts';
import type { BenchNetwork, BenchProgress } from '../options.ts';
import type { BenchReport } from '../report.ts';
import type { BenchRequest } from '../request.ts';
import type { Machine } from './machine.ts';

export type WorkerTask =
  | { readonly type: 'describe' }
  | { readonly type: 'run'; readonly request: BenchRequest; readonly versions: Readonly<Record<string, string>> }
  | { readonly type: 'export'; readonly network: BenchNetwork; readonly request: Pick<BenchRequest, 'size' | 'batch' | 'seed'> };

/** A task ends with exactly one message that is no progress. There is none to cancel: the page ends the worker. */
export type WorkerReply =
  | { readonly type: 'machine'; readonly machine: Machine }
  | { readonly type: 'progress'; readonly progress: BenchProgress }
  | { readonly type: 'report'; readonly report: BenchReport }
  | { readonly type: 'exporting'; readonly doneBytes: number; readonly totalBytes: number }
  | { readonly type: 'exported'; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly type: 'error'; readonly code?: ErrorCode; readonly message: string };

/**
 * What a page and the engine in its worker say to each other, over a port of their own. The worker says when it is ready; then there
 * are calls with a number, and for each of them progress, then a result or an error. A call is cancelled by its number, and a model's
 * session is known by the number of the call that loaded it.
 */
import { CompConvError, type ErrorCode } from '../errors.ts';
import type { NetworkCost } from '../graph/cost.ts';
import type { Graph } from '../graph/graph.ts';
import type { AdapterDescription } from '../runtime/device.ts';
import type { LoadedModel } from '../load/load-model.ts';
import type { Session } from '../runtime/session.ts';
import type { SessionMemory } from '../runtime/session-options.ts';
import type { Dtype } from '../tensor/dtype.ts';

/** The field of the one message that goes through the worker itself, with the port. */
export const PORT = 'compconv-webgpu';

export interface Introduction {
  readonly [PORT]: MessagePort;
  /** The lock to hold; see `lifeline.ts`. */
  readonly lifeline: string;
}

/** What can be asked of a session in a worker. */
export type SessionMethod = 'run' | 'runTimed' | 'classify' | 'features' | 'tune' | 'selfTest' | 'dispose';

/** A question; the answer has its number. */
export type CallRequest =
  | { readonly call: number; readonly method: 'loadModel'; readonly source: unknown; readonly options: object }
  | { readonly call: number; readonly method: SessionMethod; readonly session: number; readonly args: readonly unknown[] };

/** To the worker. `end` is the last: everything of this port is cancelled and disposed of. */
export type Request = CallRequest | { readonly cancel: number } | { readonly end: true };

export interface ResultReply {
  readonly call: number;
  readonly result: unknown;
  /** Absent once it is disposed of. */
  readonly state: SessionState | undefined;
}

/** From the worker. */
export type Reply =
  | { readonly ready: true; readonly hasLifeline: boolean }
  | { readonly call: number; readonly progress: unknown }
  | ResultReply
  | { readonly call: number; readonly error: PackedError }
  | { readonly lost: number; readonly error: PackedError };

/** What a session says of itself without being asked, with every answer. */
export interface SessionState {
  readonly backend: LoadedModel['backend'];
  readonly reason?: string;
  readonly memory: SessionMemory;
  readonly adapter?: AdapterDescription;
  readonly dtype?: Dtype;
  readonly dtypeFallback?: string | undefined;
  readonly tuned?: Session['tuned'];
}

/** What never changes. */
export interface SessionFacts {
  readonly graph: Graph;
  readonly labels: readonly string[] | undefined;
  readonly cost: NetworkCost;
}

/** An error as data: an instance of a class does not cross. */
export interface PackedError {
  readonly code: ErrorCode;
  readonly message: string;
}

export function packError(error: unknown): PackedError {
  if (error instanceof CompConvError) return { code: error.code, message: error.message };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}

export function unpackError({ code, message }: PackedError): CompConvError {
  return new CompConvError(code, message);
}

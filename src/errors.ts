/**
 * Every error the engine throws on purpose: one class, told apart by `code`.
 *
 * A message says where, what is wrong, the value got, and what to do about it. Input is checked where it enters the
 * engine; inside, `invariant` states what must already hold.
 */

/** What went wrong. Codes are stable: programs may decide by them. */
export type ErrorCode =
  /** An option or argument is wrong. */
  | 'invalid-argument'
  /** A graph cannot be built: shapes do not fit, a depth is not feasible. */
  | 'invalid-graph'
  /** A file's bytes are malformed. */
  | 'invalid-file'
  /** Well-formed weights that do not fit the graph. */
  | 'invalid-weights'
  /** Needs more than this adapter, or the format of a file, offers. */
  | 'limit-exceeded'
  /** There is no WebGPU, or no adapter. */
  | 'webgpu-unavailable'
  /** The GPU device was lost, and with it what ran; see the message for whether the next run gets a new one. */
  | 'device-lost'
  /** The GPU refused a command. */
  | 'gpu-validation'
  /** The GPU, or the host, ran out of memory. */
  | 'out-of-memory'
  /** An output has NaN or infinity in it. */
  | 'non-finite'
  /** Used after `dispose()`. */
  | 'disposed'
  /** Cancelled through an AbortSignal. */
  | 'aborted'
  /** A file is not the one that `integrity` names. */
  | 'integrity'
  /** A download or a file read failed. */
  | 'io'
  /** A bug in the engine. */
  | 'internal';

/** The one error class of the engine; `code` is stable, the message is for people. */
export class CompConvError extends Error {
  override readonly name = 'CompConvError';
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** States what must hold inside the engine; a failure is a bug of ours and says so. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new CompConvError('internal', `internal error: ${message}`);
}

/** A value for a message, never long and never deep: it may come from a hostile file. */
export function show(value: unknown): string {
  if (Array.isArray(value)) {
    const items = value.slice(0, 10).map((item) => (Array.isArray(item) ? 'an array' : show(item)));
    return `[${items.join(', ')}${value.length > 10 ? ', ...' : ''}]`;
  }
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value !== 'string') return String(value);
  return value.length > 100 ? `${JSON.stringify(value.slice(0, 100))}...` : JSON.stringify(value);
}

/** For messages, whose advice is another one in Node; and where a package has a build of its own for it. */
export function isNode(): boolean {
  return globalThis.process?.versions?.node !== undefined;
}

/** Does what takes memory. @throws out-of-memory where there is none, or an array cannot have so much */
export function withMemory<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new CompConvError('out-of-memory', `${what}: there is no memory for it: ${cause.message}`, { cause });
  }
}

/** Throws `aborted` if the signal has fired. Call between steps of long work. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

/** What is thrown when a signal has fired. */
export function abortError({ reason }: AbortSignal): CompConvError {
  return new CompConvError('aborted', 'aborted by the caller', { cause: reason });
}

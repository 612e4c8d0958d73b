/** What became of an input: a value, or an error of the kinds that may be, with a message for people. Anything else is a finding. */
import { failureLine } from '../../cli/failure.ts';
import { inspect, isDeepStrictEqual } from 'node:util';
import { CompConvError, type ErrorCode } from '../../src/errors.ts';

export type Outcome<T> = { readonly value: T; readonly error?: undefined } | { readonly error: CompConvError; readonly value?: undefined };

/** Characters: a message never repeats a hostile file. One that lists a network's tensors may be long, but for its first line and any other. */
const MAX_LIST = 4_000_000;
const MAX_FIRST_LINE = 2000;
const MAX_LINE = 600;

/** What JavaScript says of mistakes in a program, which is no answer to whoever has a broken file. */
const LEAKED = /call stack|is not a function|not iterable|Cannot (read|convert|destructure)|Invalid (array|typed array) length|allocation failed/;

/** @param codes that an error may have */
export async function outcomeOf<T>(codes: readonly ErrorCode[], action: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await action() };
  } catch (error) {
    if (!(error instanceof CompConvError)) throw new Error(`another error than CompConvError: ${String(error)}`, { cause: error });
    checkError(error, codes);
    return { error };
  }
}

function checkError(error: CompConvError, codes: readonly ErrorCode[]): void {
  const { code, message } = error;
  const finding = (what: string) => new Error(`${what}: ${code}: ${message.slice(0, 300)}`, { cause: error });
  if (!codes.includes(code)) throw finding(`a code other than ${codes.join(', ')}`);
  if (message.trim().length < 10) throw finding('a message that says nothing');
  const [first, ...lines] = message.split('\n');
  if (message.length > MAX_LIST || first.length > MAX_FIRST_LINE || lines.some((line) => line.length > MAX_LINE)) throw finding('an endless message');
  // Texts from the input are quoted, and may say anything.
  if (LEAKED.test(message.replace(/"(?:[^"\\]|\\.)*"?/g, ''))) throw finding('a message that leaks from JavaScript');
  if (/[\u0000-\u001f\u007f-\u009f]/.test(failureLine(error))) throw finding('control characters on the command line');
}

/** Fails with both, shortened, unless they are alike. */
export function mustEqual(got: unknown, expected: unknown, what: string): void {
  if (isAlike(got, expected)) return;
  throw new Error(`${what}: got ${shorten(got)}, expected ${shorten(expected)}`);
}

function shorten(value: unknown): string {
  const text = value instanceof Uint8Array ? `${value.length} bytes: ${[...value.subarray(0, 32)].join(' ')}` : inspect(value, { depth: 4 });
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}

function isAlike(a: unknown, b: unknown): boolean {
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b) === 0;
  return isDeepStrictEqual(a, b);
}

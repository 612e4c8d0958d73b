/** What becomes of an error on the command line: one readable line and an exit status. */

import { CompConvError, type ErrorCode } from '../src/errors.ts';

/** The exit statuses that are no accident. */
export const EXIT = {
  ok: 0,
  /** No adapter, a lost device, a failed verification, a bug. */
  failure: 1,
  /** Bad flags, missing or malformed files, options that do not fit. */
  input: 2,
  /** As a shell reports Ctrl-C. */
  interrupted: 130,
} as const;

const INPUT_ERRORS: readonly ErrorCode[] = [
  'invalid-argument',
  'invalid-graph',
  'invalid-file',
  'invalid-weights',
  'io',
];

export function exitStatus(error: unknown): number {
  if (!(error instanceof CompConvError)) return EXIT.failure;
  if (error.code === 'aborted') return EXIT.interrupted;
  return INPUT_ERRORS.includes(error.code) ? EXIT.input : EXIT.failure;
}

/** The error as one line without control characters: names in it may come from a hostile file. */
export function failureLine(error: unknown): string {
  if (error instanceof CompConvError) return oneLine(error.message);
  return `unexpected ${error instanceof Error ? oneLine(`${error.name}: ${error.message}`) : oneLine(String(error))}`;
}

const LISTED = 5;

/** Puts lines in a row; of an indented list below a line only the beginning. */
export function oneLine(text: string): string {
  const sections = text
    .trim()
    .split(/\n(?!\s)/)
    .map((section) => {
      const [head, ...items] = section.split(/\n\s*/);
      if (items.length === 0) return head;
      const more = items.length > LISTED ? `, and ${items.length - LISTED} more` : '';
      return `${head} ${items.slice(0, LISTED).join(', ')}${more}`;
    });
  return printable(sections.join('; '));
}

/** Text without the control characters that could rewrite a terminal. */
export function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, '?');
}

/** Runs `work` and puts the file's path before what is wrong with its content. */
export async function naming<T>(path: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CompConvError && (error.code === 'invalid-file' || error.code === 'invalid-weights')) {
      throw new CompConvError(error.code, `${path}: ${error.message}`, { cause: error });
    }
    throw error;
  }
}

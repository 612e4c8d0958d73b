/** How results look on a terminal: tables, counts, durations; and JSON as one line. */
import type { Session } from '../src/runtime/session.ts';

/** How a session stores, as text and for JSON; with the reason where it is not what was asked for. */
export function storage({ dtype, dtypeFallback }: Pick<Session, 'dtype' | 'dtypeFallback'>) {
  return {
    text: dtypeFallback ?? `stored as ${dtype}`,
    json: { dtype, ...(dtypeFallback !== undefined && { dtypeFallback }) },
  };
}

/** Prints one JSON object and nothing else. */
export function printJson(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

export function print(...lines: string[]): void {
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

/** Lines of a table; columns of which every cell but the heading looks like a number are aligned to the right. */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = heading.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column].length)));
  const numeric = heading.map((_, column) => rows.every((row) => /^([\d.,%x ]|e[+-]|ms)*$/.test(row[column])));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (numeric[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
      .join('  ')
      .trimEnd();
  return [heading, ...rows].map(line);
}

/** `1,447,670,402` */
export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** `12.3 ms`, with three digits that mean something. */
export function milliseconds(value: number): string {
  return `${value < 1 ? value.toFixed(3) : value < 100 ? value.toFixed(1) : count(Math.round(value))} ms`;
}

/** `33.0 MB`, `45.2 kB`, `812 B`, in powers of ten. */
export function byteSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  // From here on kilobytes would be rounded to 1000.0.
  return bytes < 999_950 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

export function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(2)} %`;
}

/** One line on standard error that changes while something lasts; none where no one is watching. */
export class ProgressLine {
  readonly #watched = process.stderr.isTTY === true;

  update(text: string): void {
    if (this.#watched) process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns || 80) - 1)}`);
  }

  clear(): void {
    if (this.#watched) process.stderr.write('\r\x1b[K');
  }
}

/** What to call a row of a report on a page, and which colour it has: an engine, or plain against CompConv. */
import type { ReportRow } from '../report/rows.ts';

/** `CompConv128-ResNet50`, and the engine of others, without its version: short enough for a chart, shorter for a narrow one. */
export function rowName({ kind, engine, label }: ReportRow, isNarrow = false): string {
  if (kind === 'ours') return label;
  return `${label} · ${isNarrow ? kind : engine.replace(/ \d[\d.]*| \(.*\)/g, '')}`;
}

/** Of plain and CompConv, in ours; others have a colour by engine. */
export function rowColor({ kind, isPlain }: ReportRow): string {
  if (kind === 'ours') return isPlain ? 'var(--plain)' : 'var(--compconv)';
  return engineColor(kind);
}

/** Where networks are told apart by their place. */
export function engineColor(kind: string): string {
  return kind === 'ours' ? 'var(--compconv)' : `var(--${kind})`;
}

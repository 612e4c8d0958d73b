/** What to call a report's file. */
import type { BenchReport } from '../report.ts';

/** `nvidia-h100` of `nvidia-h100 (nvidia, hopper)`. */
export function adapterSlug(name: string): string {
  const [first] = name.split(/\s\(|,\ssoftware/);
  return (
    first
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '') || 'adapter'
  );
}

/** `nvidia-h100-2026-11-24`, without an ending. */
export function reportName({ adapter, date }: Pick<BenchReport, 'adapter' | 'date'>): string {
  return `${adapterSlug(adapter.name)}-${date.slice(0, 10)}`;
}

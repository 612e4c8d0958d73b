/** Numbers for people. A unit stays on the line of its number. */

const THOUSANDS = new Intl.NumberFormat('en');

export function formatCount(value: number): string {
  return THOUSANDS.format(value);
}

/** `20.65 M`, `49.9 k`: three to four digits; the exact number goes beside it. */
export function formatLarge(value: number): string {
  const [divisor, unit] =
    value >= 1e9 ? [1e9, '\u00a0G'] : value >= 1e6 ? [1e6, '\u00a0M'] : value >= 1e4 ? [1e3, '\u00a0k'] : [1, ''];
  return divisor === 1 ? formatCount(value) : `${(value / divisor).toFixed(value / divisor < 100 ? 2 : 1)}${unit}`;
}

/** Decimal units, as file managers and browsers show them. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes}\u00a0B`;
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)}\u00a0kB`;
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 1)}\u00a0MB`;
}

export function formatMs(ms: number): string {
  return `${formatDigits(ms)}\u00a0ms`;
}

/** Three digits that mean something: `0.0123`, `1.23`, `12.3`, `12,346`. */
export function formatDigits(value: number): string {
  if (value < 1) return value.toPrecision(3);
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : formatCount(Math.round(value));
}

export function formatPercent(share: number): string {
  // Rounded, a score just below 1 would claim a certainty that the network does not have.
  if (share < 1 && share >= 0.9995) return '>\u00a099.9\u00a0%';
  return `${(share * 100).toFixed(share < 0.001 && share > 0 ? 2 : 1)}\u00a0%`;
}

/** `2.6×`, and two digits after the point where one would hide the difference. */
export function formatRatio(ratio: number): string {
  return `${ratio.toFixed(ratio < 0.095 ? 2 : 1)}×`;
}

/** The middle value; `undefined` of none. */
export function median(values: readonly number[]): number | undefined {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return undefined;
  return Number.isInteger(middle) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[Math.floor(middle)];
}

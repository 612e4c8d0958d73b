/** Statistics of a benchmark: few numbers that say what a run costs, by stated definitions. Pure functions. */

/** What is reported of a list of measurements; the unit is that of the measurements. */
export interface Summary {
  readonly median: number;
  readonly p90: number;
  readonly min: number;
  /** How many measurements there are. */
  readonly n: number;
}

/** The middle value, or the mean of the two middle ones. @throws RangeError without values */
export function median(values: readonly number[]): number {
  const sorted = sortedValues(values);
  const middle = sorted.length / 2;
  return Number.isInteger(middle) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[Math.floor(middle)];
}

/**
 * The 90th percentile by nearest rank: the smallest of the values that at least 90 % of them do not exceed. Always one
 * of the values; the largest one where there are fewer than ten. @throws RangeError without values
 */
export function p90(values: readonly number[]): number {
  const sorted = sortedValues(values);
  // In tenths: 0.9 * 10 is not always 9 in floating point.
  return sorted[Math.ceil((sorted.length * 9) / 10) - 1];
}

/** All of them at once. @throws RangeError without values */
export function summarize(values: readonly number[]): Summary {
  return { median: median(values), p90: p90(values), min: sortedValues(values)[0], n: values.length };
}

/** `|actual - expected| / |expected|` in L2; NaN if anything is NaN, so compare it with `<=`, never with `>`. */
export function relativeL2(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return NaN;
  let error = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i] - expected[i]) ** 2;
    size += expected[i] ** 2;
  }
  return Math.sqrt(error / size);
}

/** Whether two durations are within 10 % of each other: warm enough to measure. */
export function isSteady(before: number, after: number): boolean {
  return Math.abs(after - before) <= 0.1 * Math.max(before, after);
}

/**
 * The step of a clock: the largest of which all its readings are whole multiples, counted from the first one. Undefined if it stood
 * still. Few readings may share a multiple of it; a step that is no whole number, rounded in each reading, comes out as 1 or so.
 */
export function clockStep(readings: readonly bigint[]): bigint | undefined {
  const step = readings.map((reading) => reading - readings[0]).reduce(greatestCommonDivisor, 0n);
  return step === 0n ? undefined : step;
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a < 0n ? -a : a;
}

function sortedValues(values: readonly number[]): number[] {
  if (values.length === 0) throw new RangeError('statistics of no values');
  return [...values].sort((a, b) => a - b);
}

/**
 * The roofline of a dispatch: the least time that an adapter's measured limits allow it. Pure arithmetic; `limits.ts`
 * measures the limits.
 */
import type { AdapterLimits, BandwidthSample } from './report.ts';

/** What a dispatch has to do. */
export interface Work {
  readonly macs: number;
  readonly bytes: number;
}

/** A multiply-accumulate is a multiplication and an addition. */
export const FLOPS_PER_MAC = 2;

/**
 * The bandwidth in GB/s that a dispatch moving `bytes` may hope for: the best among copies that moved at least as much. What
 * is smaller fits every cache that a larger copy fits; what is larger than all copies has the bandwidth of the largest.
 * @throws RangeError without samples
 */
export function bandwidthFor(bytes: number, samples: readonly BandwidthSample[]): number {
  if (samples.length === 0) throw new RangeError('a roofline without bandwidths');
  const largest = samples.reduce((a, b) => (b.bytes > a.bytes ? b : a));
  const fitting = samples.filter((sample) => sample.bytes >= bytes);
  return Math.max(...(fitting.length > 0 ? fitting : [largest]).map(({ gbPerS }) => gbPerS));
}

/** Milliseconds: the longer one of computing and moving, and the floor that each dispatch of a chain pays. */
export function rooflineMs(work: Work, limits: AdapterLimits): number {
  const { computeMs, moveMs, floorMs } = parts(work, limits);
  return Math.max(computeMs, moveMs) + floorMs;
}

/** What bounds the work: the longer one of computing and moving, or the floor where both take less. */
export function boundOf(work: Work, limits: AdapterLimits): 'compute' | 'memory' | 'dispatch' {
  const { computeMs, moveMs, floorMs } = parts(work, limits);
  if (Math.max(computeMs, moveMs) < floorMs) return 'dispatch';
  return computeMs >= moveMs ? 'compute' : 'memory';
}

function parts({ macs, bytes }: Work, { peak, bandwidth, dispatchFloor }: AdapterLimits) {
  return {
    computeMs: (macs * FLOPS_PER_MAC) / (peak.gflopPerS * 1e6),
    moveMs: bytes / (bandwidthFor(bytes, bandwidth) * 1e6),
    floorMs: dispatchFloor.dependentUs.median / 1e3,
  };
}

/** 10^9 of something per second, from a count and milliseconds. */
export function gigaPerSecond(count: number, ms: number): number {
  return count / (ms * 1e6);
}

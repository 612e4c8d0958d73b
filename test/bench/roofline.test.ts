import { describe, expect, test } from 'vitest';
import { summarizeLayers } from '../../bench/layer-report.ts';
import type { LayerResult } from '../../bench/report.ts';
import { bandwidthFor, boundOf, gigaPerSecond, rooflineMs } from '../../bench/roofline.ts';
import { scalingRatio } from '../../bench/scaling.ts';
import { LIMITS, only } from './sample-report.ts';

describe('bandwidth', () => {
  test('the best of the copies that are at least as large', () => {
    const { bandwidth } = LIMITS;
    // A smaller copy that is slower, since dispatches cost more than it, says nothing.
    expect(bandwidthFor(1e3, bandwidth)).toBe(1000);
    expect(bandwidthFor(1e6, bandwidth)).toBe(1000);
    expect(bandwidthFor(1e6 + 1, bandwidth)).toBe(100);
    expect(bandwidthFor(1e12, bandwidth)).toBe(100);
    expect(bandwidthFor(1e12, [...bandwidth].reverse())).toBe(100);
    expect(() => bandwidthFor(1, [])).toThrow(RangeError);
  });
});

describe('roofline', () => {
  test('the longer one of computing and moving, and the floor', () => {
    // 5e8 MACs are 1e9 FLOPs: 1 ms at 1 TFLOP/s.
    expect(rooflineMs({ macs: 5e8, bytes: 1e6 }, LIMITS)).toBeCloseTo(1 + 0.01, 12);
    // 1e9 bytes at 100 GB/s: 10 ms.
    expect(rooflineMs({ macs: 5e8, bytes: 1e9 }, LIMITS)).toBeCloseTo(10 + 0.01, 12);
    expect(rooflineMs({ macs: 0, bytes: 16 }, LIMITS)).toBeCloseTo(0.01, 6);
  });

  test('what bounds', () => {
    expect(boundOf({ macs: 5e8, bytes: 1e6 }, LIMITS)).toBe('compute');
    expect(boundOf({ macs: 5e8, bytes: 1e9 }, LIMITS)).toBe('memory');
    expect(boundOf({ macs: 5e5, bytes: 1e3 }, LIMITS)).toBe('dispatch');
  });

  test('rates', () => {
    expect(gigaPerSecond(1e9, 1000)).toBe(1);
    expect(gigaPerSecond(3e6, 1)).toBe(3);
  });
});

test('layers: longest first, sums by kernel', () => {
  const layer = (index: number, kernel: string, ms: number, macs: number): LayerResult => ({
    index,
    label: `op ${index}`,
    layer: 'op',
    kernel,
    macs,
    readBytes: 10,
    writtenBytes: 20,
    constantBytes: 30,
    bytes: 60,
    repeats: 1,
    timeMs: only(ms),
    gmacPerS: gigaPerSecond(macs, ms),
    gbPerS: gigaPerSecond(60, ms),
    rooflineMs: ms / 4,
    rooflineShare: 0.25,
    bound: 'compute',
  });
  const report = summarizeLayers([layer(0, 'conv', 2, 4e6), layer(1, 'pool', 5, 0), layer(2, 'conv', 1, 2e6)]);
  expect(report.dispatches.map(({ index }) => index)).toEqual([1, 0, 2]);
  expect(report).toMatchObject({ timeMs: 8, rooflineMs: 2 });
  const ofAll = (timeMs: number, timeShare: number) => ({ timeMs, timeShare, rooflineShare: 0.25 });
  expect(report.kernels).toEqual([
    { ...ofAll(5, 0.625), kernel: 'pool', dispatches: 1, macs: 0, bytes: 60, gmacPerS: 0, gbPerS: 60 / 5e6 },
    { ...ofAll(3, 0.375), kernel: 'conv', dispatches: 2, macs: 6e6, bytes: 120, gmacPerS: 2, gbPerS: 120 / 3e6 },
  ]);
});

test('scaling: ratios of medians against the bar', () => {
  const base = { size: 224, batch: 1, latencyMs: only(10), gpuTimeMs: only(8) };
  expect(scalingRatio(base, { size: 448, batch: 1, latencyMs: only(40), gpuTimeMs: only(36) }, 4.2)).toMatchObject({
    workRatio: 4,
    latencyRatio: 4,
    gpuTimeRatio: 4.5,
    bar: 4.2,
    isWithinBar: true,
  });
  expect(scalingRatio(base, { size: 224, batch: 8, latencyMs: only(83) }, 8.2)).toEqual({
    point: { size: 224, batch: 8, latencyMs: only(83) },
    workRatio: 8,
    latencyRatio: 8.3,
    bar: 8.2,
    isWithinBar: false,
  });
  const tooMuch = scalingRatio(base, { size: 448, batch: 1, problem: 'too large' }, 4.2);
  expect(tooMuch).not.toHaveProperty('isWithinBar');
});

/** The adapter's own limits, measured through the same stack as networks: what a dispatch, arithmetic and memory cost. */
import type { EngineDevice } from '../src/runtime/device.ts';
import type { BenchProgress } from './options.ts';
import { measureArithmeticPeak } from './probes/arithmetic-peak.ts';
import { measureCopyBandwidth } from './probes/copy-bandwidth.ts';
import { measureDispatchFloor } from './probes/dispatch-floor.ts';
import type { AdapterLimits } from './report.ts';
import { Stopwatch } from './stopwatch.ts';

/** Passes of each probe; the first ones, which find out how long it takes, do not count. */
const SAMPLES = 7;

/** Measures them, which takes a few seconds. @throws aborted, gpu-validation, out-of-memory, device-lost */
export async function measureLimits(
  engine: EngineDevice,
  { signal, onProgress }: { readonly signal?: AbortSignal; readonly onProgress?: (progress: BenchProgress) => void } = {},
): Promise<AdapterLimits> {
  const stopwatch = await Stopwatch.create(engine, signal);
  const step = (label: string, done: number) => onProgress?.({ phase: 'limits', label, done, total: 3 });
  try {
    step('dispatch floor', 0);
    const dispatchFloor = await measureDispatchFloor(engine, stopwatch, SAMPLES);
    step('arithmetic', 1);
    const peak = await measureArithmeticPeak(engine, stopwatch, SAMPLES);
    step('copies', 2);
    const bandwidth = await measureCopyBandwidth(engine, stopwatch, SAMPLES);
    const { clock, timestampStepNs } = stopwatch;
    return { clock, ...(timestampStepNs !== undefined && { timestampStepNs }), dispatchFloor, peak, bandwidth };
  } finally {
    stopwatch.destroy();
  }
}

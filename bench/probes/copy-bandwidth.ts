/** How fast a kernel copies a buffer to another one, from sizes that fit a cache to sizes that fit none. */
import type { EngineDevice } from '../../src/runtime/device.ts';
import type { BandwidthSample } from '../report.ts';
import { gigaPerSecond } from '../roofline.ts';
import { summarize } from '../statistics.ts';
import type { Stopwatch } from '../stopwatch.ts';
import code from './copy.wgsl?raw';
import { Probe } from './probe.ts';

const MIB = 2 ** 20;
/** Of each of the two buffers. */
const COPY_SIZES: readonly number[] = [MIB / 4, MIB, 4 * MIB, 16 * MIB, 64 * MIB, 128 * MIB];
/** What an invocation copies. */
const INVOCATION_BYTES = 4 * 16;
const WORKGROUP_SIZE = 64;
const MAX_REPEATS = 4096;

/** One sample per size that the adapter binds, with `samples` passes each. */
export async function measureCopyBandwidth(
  engine: EngineDevice,
  stopwatch: Stopwatch,
  samples: number,
): Promise<BandwidthSample[]> {
  const results: BandwidthSample[] = [];
  const largest = Math.min(engine.limits.maxStorageBufferBindingSize, engine.limits.maxBufferSize);
  for (const bufferBytes of COPY_SIZES.filter((size) => size <= largest)) {
    const invocations = bufferBytes / INVOCATION_BYTES;
    const buffers = [{ byteLength: bufferBytes }, { byteLength: bufferBytes }, { byteLength: 16, isUniform: true }];
    const probe = await Probe.create(engine, code, buffers);
    try {
      engine.device.queue.writeBuffer(probe.buffers[2], 0, new Uint32Array([invocations, 0, 0, 0]));
      const record = (times: number) => (pass: GPUComputePassEncoder) => probe.record(pass, invocations / WORKGROUP_SIZE, times);
      const copies = await stopwatch.repeatsFor(record, MAX_REPEATS);
      const times = await stopwatch.samples(record(copies), samples);
      const timeMs = summarize(times.map((ms) => ms / copies));
      const bytes = 2 * bufferBytes;
      const gbPerS = gigaPerSecond(bytes, timeMs.min);
      results.push({ bytes, copies, timeMs, gbPerS, medianGbPerS: gigaPerSecond(bytes, timeMs.median) });
    } finally {
      probe.destroy();
    }
  }
  return results;
}

/**
 * The most f32 arithmetic per second that WGSL gets out of the adapter: multiply-adds in registers, in the forms that
 * compilers take differently. The best form is the peak.
 */
import type { EngineDevice } from '../../src/runtime/device.ts';
import type { ArithmeticForm, ArithmeticPeak } from '../report.ts';
import { FLOPS_PER_MAC, gigaPerSecond } from '../roofline.ts';
import { summarize } from '../statistics.ts';
import type { Stopwatch } from '../stopwatch.ts';
import code from './arithmetic-peak.wgsl?raw';
import { Probe } from './probe.ts';

const WORKGROUP_SIZE = 64;
/** Rounds at least: what an invocation does besides must not count. */
const ROUNDS = 256;
/** A sample grows by workgroups first, from what takes a processor some milliseconds to what fills the largest GPUs. */
const FEWEST_WORKGROUPS = 64;
const MOST_WORKGROUPS = 8192;
const BYTES_PER_VECTOR = 16;
/** Multiply-adds of an invocation in a round: 16 of vec4s. */
const MACS_PER_ROUND = 16 * 4;
const MAX_GROWTH = 2 ** 16;

/** Measures every form with `samples` passes each. */
export async function measureArithmeticPeak(
  engine: EngineDevice,
  stopwatch: Stopwatch,
  samples: number,
): Promise<ArithmeticPeak> {
  const forms: ArithmeticForm[] = [];
  for (const chains of [2, 8]) {
    for (const form of ['fma', 'multiply-add'] as const) {
      const overrides = { FUSED: form === 'fma' ? 1 : 0, WIDE: chains > 2 ? 1 : 0 };
      const buffers = [{ byteLength: MOST_WORKGROUPS * WORKGROUP_SIZE * BYTES_PER_VECTOR }, { byteLength: 16, isUniform: true }];
      const probe = await Probe.create(engine, code, buffers, overrides);
      try {
        const record = (growth: number) => {
          const { workgroups, rounds } = sampleSize(growth);
          // Stays between 0 and a few: no infinity and no subnormal number, which some adapters are slow at.
          const sizes = new Uint32Array([rounds, 0, 0, 0]);
          new Float32Array(sizes.buffer).set([0.75, 0.5], 1);
          engine.device.queue.writeBuffer(probe.buffers[1], 0, sizes);
          return (pass: GPUComputePassEncoder) => probe.record(pass, workgroups);
        };
        const growth = await stopwatch.repeatsFor(record, MAX_GROWTH);
        const timeMs = summarize(await stopwatch.samples(record(growth), samples));
        const { workgroups, rounds } = sampleSize(growth);
        const flop = workgroups * WORKGROUP_SIZE * rounds * MACS_PER_ROUND * FLOPS_PER_MAC;
        const gflopPerS = gigaPerSecond(flop, timeMs.min);
        forms.push({ form, chains, flop, timeMs, gflopPerS, medianGflopPerS: gigaPerSecond(flop, timeMs.median) });
      } finally {
        probe.destroy();
      }
    }
  }
  return { gflopPerS: Math.max(...forms.map(({ gflopPerS }) => gflopPerS)), forms };
}

/** `growth` times the smallest sample, or a little less. */
function sampleSize(growth: number): { workgroups: number; rounds: number } {
  const wanted = FEWEST_WORKGROUPS * growth;
  const rounds = Math.floor((ROUNDS * wanted) / MOST_WORKGROUPS);
  return { workgroups: Math.min(wanted, MOST_WORKGROUPS), rounds: Math.max(ROUNDS, rounds) };
}

/** What a dispatch costs that does nothing: in a chain, where each waits for the one before it, and on its own. */
import type { EngineDevice } from '../../src/runtime/device.ts';
import type { DispatchFloor } from '../report.ts';
import { summarize } from '../statistics.ts';
import type { Stopwatch } from '../stopwatch.ts';
import codeChain from './dispatch-chain.wgsl?raw';
import codeEmpty from './dispatch-empty.wgsl?raw';
import { Probe } from './probe.ts';

/** Dispatches in one pass, at least and at most. */
const FEWEST = 256;
const MOST = 8192;

/** Microseconds per dispatch, of `samples` passes each. */
export async function measureDispatchFloor(engine: EngineDevice, stopwatch: Stopwatch, samples: number): Promise<DispatchFloor> {
  const chain = await Probe.create(engine, codeChain, [{ byteLength: 4 }]);
  const empty = await Probe.create(engine, codeEmpty, []);
  const measure = async (probe: Probe) => {
    const record = (times: number) => (pass: GPUComputePassEncoder) => probe.record(pass, 1, times);
    const dispatches = Math.max(FEWEST, await stopwatch.repeatsFor(record, MOST));
    const times = await stopwatch.samples(record(dispatches), samples);
    return { dispatches, us: summarize(times.map((ms) => (ms * 1e3) / dispatches)) };
  };
  try {
    const dependent = await measure(chain);
    const independent = await measure(empty);
    return {
      dependentUs: dependent.us,
      dependentDispatches: dependent.dispatches,
      independentUs: independent.us,
      independentDispatches: independent.dispatches,
    };
  } finally {
    chain.destroy();
    empty.destroy();
  }
}

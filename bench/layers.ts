/** Section `layers`: every dispatch of a network alone, repeated in one pass, against its roofline. */
import { throwIfAborted } from '../src/errors.ts';
import { ConstantStore } from '../src/runtime/constant-store.ts';
import { withErrorScopes, type EngineDevice } from '../src/runtime/device.ts';
import { Executor } from '../src/runtime/executor.ts';
import { toStored } from '../src/runtime/layout.ts';
import { PipelineCache } from '../src/runtime/pipelines.ts';
import { excerpt } from '../src/scheduler/isolate.ts';
import { valueBytes } from '../src/scheduler/memory.ts';
import type { Plan } from '../src/scheduler/plan.ts';
import { seededUniform } from '../src/weights/seeded.ts';
import type { Weights } from '../src/weights/weights.ts';
import { layerResult, summarizeLayers } from './layer-report.ts';
import type { BenchOptions } from './options.ts';
import type { AdapterLimits, LayerResult, LayersReport } from './report.ts';
import { summarize, type Summary } from './statistics.ts';
import { Stopwatch } from './stopwatch.ts';

const SAMPLES = 5;
const MAX_REPEATS = 2048;

/** Measures all dispatches of a plan. @throws aborted, gpu-validation, out-of-memory, device-lost */
export async function measureLayers(
  engine: EngineDevice,
  { label, plan, weights }: { readonly label: string; readonly plan: Plan; readonly weights: Weights },
  limits: AdapterLimits,
  { signal, onProgress }: Pick<BenchOptions, 'signal' | 'onProgress'> = {},
): Promise<LayersReport> {
  const stopwatch = await Stopwatch.create(engine, signal);
  const pipelines = new PipelineCache(engine.device, plan.dtype);
  const total = plan.dispatches.length;
  const results: LayerResult[] = [];
  try {
    for (const [index, dispatch] of plan.dispatches.entries()) {
      throwIfAborted(signal);
      onProgress?.({ phase: 'layers', label, done: index, total });
      const { repeats, timeMs } = await measureDispatch(engine, excerpt(plan, [dispatch]), weights, pipelines, stopwatch);
      results.push(layerResult(plan, index, { repeats, timeMs, limits }));
    }
    return summarizeLayers(results);
  } finally {
    stopwatch.destroy();
  }
}

/** Time of a plan of one dispatch in a chain of itself, on made-up values. */
async function measureDispatch(
  engine: EngineDevice,
  plan: Plan,
  weights: Weights,
  cache: PipelineCache,
  stopwatch: Stopwatch,
): Promise<{ repeats: number; timeMs: Summary }> {
  const { device } = engine;
  const constants = new ConstantStore(device, weights);
  let executor: Executor | undefined;
  try {
    const compiled = await cache.compile(plan.dispatches);
    await withErrorScopes(device, plan.dispatches[0].label, async () => {
      await constants.upload(plan.constants.values());
    });
    const bind = () => new Executor(device, plan, compiled, cache, constants);
    executor = await withErrorScopes(device, plan.dispatches[0].label, bind);
    // Zeros would need less power than numbers do, and let a GPU run faster than it does in a network.
    const elements = valueBytes(plan.values.get(plan.input)!, 'f32') / 4;
    device.queue.writeBuffer(executor.input, 0, toStored(seededUniform(1, 'activations', elements, -1, 1), plan.dtype));
    const runner = executor;
    const record = (times: number) => (pass: GPUComputePassEncoder) => runner.record(pass, 0, times);
    const repeats = await stopwatch.repeatsFor(record, MAX_REPEATS);
    const times = await stopwatch.samples(record(repeats), SAMPLES);
    return { repeats, timeMs: summarize(times.map((ms) => ms / repeats)) };
  } finally {
    executor?.destroy();
    constants.destroy();
  }
}

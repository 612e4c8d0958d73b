/**
 * Runs graphs through plan, pipelines and executor, without a session: what kernel and schedule tests compare with the CPU
 * reference, in Node and in a browser's page alike. Every activation is filled with NaN first, so that what is not written
 * cannot pass.
 */
import type { Graph } from '../../src/graph/graph.ts';
import { ConstantStore } from '../../src/runtime/constant-store.ts';
import { withErrorScopes, type EngineDevice } from '../../src/runtime/device.ts';
import { Executor } from '../../src/runtime/executor.ts';
import { PipelineCache } from '../../src/runtime/pipelines.ts';
import { schedule, type ScheduleLimits, type ScheduleOptions } from '../../src/scheduler/schedule.ts';
import type { Dtype } from '../../src/tensor/dtype.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import type { Weights } from '../../src/weights/weights.ts';

/** A schedule, and limits other than the device's to make the plan for. */
export interface RunGraphOptions extends Partial<ScheduleLimits>, ScheduleOptions {}

const caches = new WeakMap<GPUDevice, Map<Dtype, PipelineCache>>();

/** Runs a graph on `[N, C, H, W]`, by the optimized schedule unless another is named. */
export async function runGraph(
  engine: EngineDevice,
  graph: Graph,
  weights: Weights,
  input: Tensor,
  options: RunGraphOptions = {},
): Promise<Tensor> {
  return (await runTapped(engine, graph, weights, input, options)).output;
}

/** As `runGraph`; gives the values that `options.keep` names, too, by tap. */
export async function runTapped(
  engine: EngineDevice,
  graph: Graph,
  weights: Weights,
  input: Tensor,
  options: RunGraphOptions = {},
): Promise<{ readonly output: Tensor; readonly kept: ReadonlyMap<string, Tensor> }> {
  const { device } = engine;
  const { dtype = 'f32' } = options;
  const ofDevice = caches.get(device) ?? new Map<Dtype, PipelineCache>();
  const pipelines = ofDevice.get(dtype) ?? new PipelineCache(device, dtype);
  caches.set(device, ofDevice.set(dtype, pipelines));
  const plan = schedule(graph, { ...engine.limits, ...options }, options);
  const constants = new ConstantStore(device, weights);
  let executor: Executor | undefined;
  try {
    await constants.upload(plan.constants.values());
    const compiled = await pipelines.compile(plan.dispatches);
    await withErrorScopes(device, graph.name, () => {
      executor = new Executor(withNaNActivations(device), plan, compiled, pipelines, constants);
      executor.writeInput(input.data);
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      executor.record(pass);
      pass.end();
      executor.encodeReadback(encoder);
      device.queue.submit([encoder.finish()]);
    });
    const output = await executor!.readOutput();
    const kept = new Map(Object.entries(await executor!.readKept()));
    return { output, kept };
  } finally {
    executor?.destroy();
    constants.destroy();
  }
}

/** The device, except that every activation buffer it creates is full of NaN: all bits set, in f32 and f16 alike. */
function withNaNActivations(device: GPUDevice): GPUDevice {
  return new Proxy(device, {
    get(target, key) {
      if (key !== 'createBuffer') {
        const value = Reflect.get(target, key, target) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      }
      return (descriptor: GPUBufferDescriptor) => {
        const buffer = target.createBuffer(descriptor);
        if (descriptor.label?.startsWith('activations')) {
          target.queue.writeBuffer(buffer, 0, new Uint8Array(descriptor.size).fill(0xff));
        }
        return buffer;
      };
    },
  });
}

/** One device for a test file in Node, opened before its tests and closed after them. */
import { afterAll, beforeAll } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { openDevice, type EngineDevice } from '../../src/runtime/device.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import type { Weights } from '../../src/weights/weights.ts';
import { runGraph, type RunGraphOptions } from './run-graph.ts';

export interface TestGpu {
  readonly engine: EngineDevice;
  /** Whether `shader-f16` is there. */
  readonly hasF16: boolean;
  /** See `runGraph`. */
  run(graph: Graph, weights: Weights, input: Tensor, options?: RunGraphOptions): Promise<Tensor>;
}

/** Opens the device; fails loudly where there is no adapter. Call at the top of a test file. */
export function useGpu(): TestGpu {
  let engine: EngineDevice;
  beforeAll(async () => {
    const { adapter, describe } = await openNodeGpu();
    console.log(`adapter: ${describe}`);
    engine = await openDevice({ adapter });
    keepPipelines(engine.device);
  });
  afterAll(() => engine?.release());
  return {
    get engine() {
      return engine;
    },
    get hasF16() {
      return engine.device.features.has('shader-f16');
    },
    run: (...args) => runGraph(engine, ...args),
  };
}

/** Dawn gives what is alive already: so what the tests of a file have in common is compiled once, also by caches of their own. */
function keepPipelines(device: GPUDevice): void {
  const kept: GPUComputePipeline[] = [];
  const create = device.createComputePipelineAsync.bind(device);
  device.createComputePipelineAsync = async (descriptor) => {
    const pipeline = await create(descriptor);
    kept.push(pipeline);
    return pipeline;
  };
}

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

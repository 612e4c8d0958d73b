/**
 * Storage as f16, on whatever adapter there is: with `shader-f16` every graph agrees with the float64 reference to 5e-3;
 * without, a session stores f32 and says why. SwiftShader has none, lavapipe of Mesa 25 has.
 */
import { describe, expect, test } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import { graphParams, shapeOf, type Graph } from '../../src/graph/graph.ts';
import { createNetwork } from '../../src/models/network.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import { createSession } from '../../src/runtime/session.ts';
import { DEFAULT_LIMITS, schedule } from '../../src/scheduler/schedule.ts';
import { summarizePlan } from '../../src/scheduler/plan.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import { orderedGraphs } from '../scheduler/ordered-graphs.ts';
import { expectClose } from '../support/compare.ts';
import { distinctValues } from '../support/random.ts';

const graphs: Record<string, Graph> = {
  ...Object.fromEntries(Object.entries(orderedGraphs()).map(([name, { graph }]) => [name, graph])),
  ...Object.fromEntries(
    [{ arch: 'resnet50' }, { arch: 'resnet50', c0: 128 }, { arch: 'vgg11', c0: 64, classes: 10 }].map((options) => [
      JSON.stringify(options),
      createNetwork(options, { height: 32 }),
    ]),
  ),
};

describe('f16', () => {
  test.each(Object.entries(graphs))('%s', async (_, graph) => {
    const { gpu } = await openNodeGpu();
    const hasF16 = (await gpu.requestAdapter())!.features.has('shader-f16');
    // Without it one graph will do: the others are run as f32 elsewhere.
    if (!hasF16 && graph !== Object.values(graphs)[0]) return;
    const weights = seededWeights(graphParams(graph), 11);
    const { n, h, w, c } = shapeOf(graph, graph.input);
    const input = { shape: [n, c, h, w], data: distinctValues(n * c * h * w, 3) };
    const expected = toTensor(runReference(graph, weights, input).get(graph.output)!);
    const session = await createSession({ graph, weights }, { gpu, dtype: 'f16' });
    try {
      const actual = await session.run(input);
      if (hasF16) {
        expect(session.dtype).toBe('f16');
        expect(session.dtypeFallback).toBeUndefined();
        expectClose(actual.data, expected.data, { relativeL2: 5e-3 });
      } else {
        expect(session.dtype).toBe('f32');
        expect(session.dtypeFallback).toMatch(/has no shader-f16: stored as f32/);
        expectClose(actual.data, expected.data, { relativeL2: 1e-5 });
      }
    } finally {
      session.dispose();
    }
  });

  test('halves activations and weights, and nothing else changes', () => {
    const graph = createNetwork({ arch: 'resnet50', c0: 128 });
    const [single, half] = (['f32', 'f16'] as const).map((dtype) => summarizePlan(schedule(graph, DEFAULT_LIMITS, { dtype })));
    expect(half.activationBytes).toBe(single.activationBytes / 2);
    expect(half.constantBytes / single.constantBytes).toBeLessThan(0.52);
    expect({ ...half, activationBytes: 0, activationLowerBoundBytes: 0, constantBytes: 0 }).toEqual({
      ...single, activationBytes: 0, activationLowerBoundBytes: 0, constantBytes: 0,
    });
  });

  test('an unknown dtype is named', async () => {
    const graph = orderedGraphs()['pools keep the order'].graph;
    const { gpu } = await openNodeGpu();
    const session = createSession({ graph, weights: seededWeights(graphParams(graph), 1) }, { gpu, dtype: 'bf16' as 'f16' });
    await expect(session).rejects.toThrow(/unknown dtype "bf16"; known are f32, f16/);
  });
});

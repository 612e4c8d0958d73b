/** A session shares constants between all of its plans by their keys: what passes and taps change is in the key. */
import { expect, test, vi } from 'vitest';
import { graphParams, type Graph } from '../../src/graph/graph.ts';
import { passNames, schedule, DEFAULT_LIMITS, type ScheduleOptions } from '../../src/scheduler/schedule.ts';
import { schedules } from '../../src/scheduler/plan.ts';
import { bytesPerElement } from '../../src/tensor/dtype.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import { orderedGraphs } from './ordered-graphs.ts';

vi.setConfig({ testTimeout: 60_000 });

/** Every schedule, the optimised one without each of its passes and with all of them forced; for each, no tap, every single one, all. */
function plansOf(graph: Graph) {
  const ways: ScheduleOptions[] = [
    ...schedules.map((schedule) => ({ schedule })),
    ...passNames.map((pass) => ({ withoutPasses: [pass] })),
    { forcedPasses: passNames },
    { forcedPasses: passNames, withoutPasses: ['collapse-modules'] },
  ];
  const names = graph.nodes.map(({ name }) => name);
  const taps = [[], ...names.map((name) => [name]), names];
  return ways.flatMap((way) => taps.map((keep) => schedule(graph, DEFAULT_LIMITS, { ...way, keep })));
}

test.each(Object.entries(orderedGraphs()))('%s: equal keys are equal constants', (_, { graph }) => {
  const weights = seededWeights(graphParams(graph), 1);
  const packed = new Map<string, Float32Array>();
  for (const { constants } of plansOf(graph)) {
    for (const { key, byteLength, dtype, pack } of constants.values()) {
      const values = new Float32Array(byteLength / bytesPerElement(dtype));
      pack(weights, values);
      const known = packed.get(key);
      if (known) expect(Buffer.compare(Buffer.from(known.buffer), Buffer.from(values.buffer)), key).toBe(0);
      packed.set(key, values);
    }
  }
});

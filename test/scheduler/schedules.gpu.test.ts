/** Every schedule computes the same as the CPU reference, on graphs made to confuse the passes. */
import { describe, test } from 'vitest';
import { graphParams, shapeOf } from '../../src/graph/graph.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import { schedules } from '../../src/scheduler/plan.ts';
import { passNames } from '../../src/scheduler/schedule.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import { expectClose } from '../support/compare.ts';
import { useGpu } from '../support/gpu.ts';
import type { RunGraphOptions } from '../support/run-graph.ts';
import { distinctValues } from '../support/random.ts';
import { orderedGraphs } from './ordered-graphs.ts';

const gpu = useGpu();

/**
 * Every schedule, and the optimised one with each of its passes left out, and with all but one of them; as it decides itself on
 * the adapter at hand, and with every pass carried out wherever it can be, by the kernels of either kind of adapter.
 */
const variants: [string, RunGraphOptions][] = [
  ...schedules.map((schedule): [string, RunGraphOptions] => [`schedule ${schedule}`, { schedule }]),
  ...passNames.map((pass): [string, RunGraphOptions] => [`without ${pass}`, { withoutPasses: [pass] }]),
  ...passNames.map((pass): [string, RunGraphOptions] => [`${pass} alone`, { withoutPasses: passNames.filter((other) => other !== pass) }]),
  ['without collapse-modules, kernels for any adapter', { withoutPasses: ['collapse-modules'], hasQuads: false }],
  ['every pass forced', { forcedPasses: passNames }],
  ['every pass forced, without quads', { forcedPasses: passNames, hasQuads: false }],
  ...passNames.map((pass): [string, RunGraphOptions] => [`forced without ${pass}`, { forcedPasses: passNames, withoutPasses: [pass] }]),
];

describe.each(Object.entries(orderedGraphs()))('%s', (_, { graph }) => {
  test.each(variants)('%s', async (_, options) => {
    const { n, h, w, c } = shapeOf(graph, graph.input);
    const input = { shape: [n, c, h, w], data: distinctValues(n * c * h * w, 3) };
    const weights = seededWeights(graphParams(graph), 11);
    const expected = toTensor(runReference(graph, weights, input).get(graph.output)!);
    const actual = await gpu.run(graph, weights, input, options);
    expectClose(actual.data, expected.data, { relativeL2: 1e-6 });
  });
});

/** Plans without pipelines that are excluded, and which channels of a value each label writes. */
import { describe, expect, test } from 'vitest';
import { valuesOf } from '../../src/kernels/kernel.ts';
import { createNetwork } from '../../src/models/network.ts';
import { expandModules } from '../../src/scheduler/expand-modules.ts';
import { selfContained } from '../../src/scheduler/isolate.ts';
import { pipelineKey, type Plan } from '../../src/scheduler/plan.ts';
import { DEFAULT_LIMITS, passNames, schedule, type ScheduleLimits, type ScheduleOptions } from '../../src/scheduler/schedule.ts';

const bottlenecks = createNetwork({ arch: 'resnet50', c0: 128 }, { height: 64 });
const QUADS: ScheduleLimits = { ...DEFAULT_LIMITS, isSoftware: true, hasQuads: true };

const cases: [string, ScheduleLimits, ScheduleOptions][] = [
  ['a GPU', DEFAULT_LIMITS, {}],
  ['a software adapter', QUADS, {}],
  ['every pass forced', DEFAULT_LIMITS, { forcedPasses: passNames, withoutPasses: ['collapse-modules'] }],
  ['reference', DEFAULT_LIMITS, { schedule: 'reference' }],
];

const keys = ({ dispatches }: Plan) => new Set(dispatches.map(pipelineKey));
/** Kernels that are the only ones for their ops. */
const irreplaceable = /^(max-pool|avg-pool|linear|channel-concat|channel-slice|channel-shuffle)( |$)/;

describe.each(cases)('%s', (name, limits, options) => {
  const plan = schedule(bottlenecks, limits, options);

  test('each pipeline by itself can be done without, but for those of ops that have one kernel', () => {
    const without = (key: string) => keys(schedule(bottlenecks, limits, { ...options, excluded: new Set([key]) }));
    for (const key of keys(plan)) if (!irreplaceable.test(key)) expect(without(key).has(key), key).toBe(false);
    expect(without('max-pool ')).toEqual(keys(plan));
  });

  test('the parts of a value are written once each, by dispatches of the plan that write it', () => {
    const writers = (value: string) => new Set(plan.dispatches.filter((dispatch) => valuesOf(dispatch).written.includes(value)).map(({ label }) => label));
    if (name !== 'reference') expect(plan.parts.size).toBeGreaterThan(50);
    for (const [value, parts] of plan.parts) {
      const channels = parts.flatMap((part) => part.channels).sort((a, b) => a - b);
      expect(channels, value).toEqual(Array.from({ length: plan.values.get(value)!.shape.c }, (_, channel) => channel));
      expect(new Set(parts.map(({ label }) => label)), value).toEqual(writers(value));
    }
    for (const value of plan.values.keys()) if (!plan.parts.has(value) && value !== plan.input) expect(writers(value).size, value).toBe(1);
  });

  test('every dispatch is in an excerpt whose inputs and results are values of nodes', () => {
    const { shapes } = expandModules(bottlenecks);
    for (const { label } of plan.dispatches) {
      const { inputs, results, dispatches } = selfContained(plan, label, shapes);
      expect(dispatches.some((dispatch) => dispatch.label === label)).toBe(true);
      expect(results.length).toBeGreaterThan(0);
      for (const value of [...inputs, ...results]) expect(shapes.has(value), `${label}: ${value}`).toBe(true);
      for (const value of inputs) expect(results).not.toContain(value);
    }
  });
});

test('candidates are gone through one after the other, then passes are left out', () => {
  const graph = createNetwork({ arch: 'resnet18', c0: 64 }, { height: 64 });
  const excluded = new Set<string>();
  // All that store in parts, whatever the kernel.
  for (let plan = schedule(graph, QUADS); ; plan = schedule(graph, QUADS, { excluded })) {
    const parts = [...keys(plan)].filter((key) => key.includes('-parts'));
    if (parts.length === 0) break;
    for (const key of parts) {
      expect(excluded.has(key)).toBe(false);
      excluded.add(key);
    }
  }
  expect(excluded.size).toBeGreaterThan(20);
  const kernels = new Set([...excluded].map((key) => key.split(' ')[0]));
  for (const kernel of ['conv2d-quad-16x20-parts', 'conv2d-8x8-parts', 'conv2d-8x4-parts']) expect(kernels).toContain(kernel);
});

/** One op of a plan as a plan of its own. */
import { expect, test } from 'vitest';
import { valuesOf } from '../../src/kernels/kernel.ts';
import { createNetwork, schedule } from '../../src/index.ts';
import { distinctChoices, isolate } from '../../src/scheduler/isolate.ts';
import { valueBytes } from '../../src/scheduler/memory.ts';

const plan = schedule(createNetwork({ arch: 'resnet18', c0: 32 }, { height: 64 }));

test('choices are told once, only where there is one', () => {
  const choices = distinctChoices(plan);
  const signatures = choices.map(({ signature }) => signature);
  expect(new Set(signatures).size).toBe(signatures.length);
  expect(signatures.length).toBeGreaterThan(5);
  for (const { candidates } of choices) expect(candidates.length).toBeGreaterThan(1);
  expect(isolate(plan, 'no such work')).toBeUndefined();
});

test.each(distinctChoices(plan).map(({ signature }) => signature))('%s', (signature) => {
  const excerpt = isolate(plan, signature)!;
  const { dispatches, inputs, results, values, constants, memory } = excerpt;
  expect(dispatches[0].choice!.signature).toBe(signature);
  expect(results.length).toBeGreaterThan(0);
  const bound = dispatches.flatMap((dispatch) => [...valuesOf(dispatch).read, ...valuesOf(dispatch).written]);
  expect(new Set(values.keys())).toEqual(new Set(bound));
  for (const input of inputs) expect(results).not.toContain(input);
  for (const { buffers } of dispatches) {
    for (const ref of buffers) if ('constant' in ref) expect(constants.has(ref.constant)).toBe(true);
  }
  // No two values share a buffer: a repeated run finds its inputs as they were.
  expect(new Set([...values.keys()].map((value) => memory.bufferOf.get(value))).size).toBe(values.size);
  for (const [name, value] of values) expect(memory.bufferBytes[memory.bufferOf.get(name)!]).toBe(valueBytes(value, 'f32'));
});

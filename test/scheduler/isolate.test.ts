/** One op of a plan as a plan of its own. */
import { describe, expect, test } from 'vitest';
import { valuesOf } from '../../src/kernels/kernel.ts';
import { createNetwork, schedule } from '../../src/index.ts';
import { distinctChoices, distinctForms, isolate } from '../../src/scheduler/isolate.ts';
import { valueBytes } from '../../src/scheduler/memory.ts';

const plan = schedule(createNetwork({ arch: 'resnet18', c0: 32 }, { height: 64 }));
const bottlenecks = createNetwork({ arch: 'resnet50', c0: 128 }, { height: 64 });
const formed = schedule(bottlenecks);

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

test('forms are told once, of every pass that chooses', () => {
  const signatures = distinctForms(formed).map(({ signature }) => signature);
  expect(new Set(signatures).size).toBe(signatures.length);
  for (const pass of ['collapse', 'tail', 'module']) expect(signatures.some((signature) => signature.startsWith(`${pass} `))).toBe(true);
  expect(distinctForms(schedule(bottlenecks, undefined, { dtype: 'f16' })).every(({ signature }) => signature.endsWith(' f16'))).toBe(true);
  expect(distinctForms(schedule(bottlenecks, undefined, { schedule: 'reference' }))).toEqual([]);
});

describe.each(distinctForms(formed))('$signature', ({ signature, candidates }) => {
  const excerpts = candidates.map((name) => isolate(schedule(bottlenecks, undefined, { choices: new Map([[signature, name]]) }), signature)!);
  const [predicted, other] = excerpts;

  test('begins and ends with the same values either way', () => {
    expect(new Set(other.inputs)).toEqual(new Set(predicted.inputs));
    expect(new Set(other.results)).toEqual(new Set(predicted.results));
    for (const name of [...predicted.inputs, ...predicted.results]) expect(other.values.get(name)).toEqual(predicted.values.get(name));
  });

  test('takes one dispatch more, or as many where a later pass joins them', () => {
    const counts = new Map(candidates.map((name, i) => [name, excerpts[i].dispatches.length]));
    const more = counts.get('two dispatches')! - counts.get('one dispatch')!;
    expect(signature.startsWith('collapse ') ? [0, 1] : [1]).toContain(more);
  });
});

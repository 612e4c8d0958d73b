/** Where a plan could take other kernels, and one such op as a plan of its own: what tuning verifies and measures. */
import { valuesOf, type Choice, type Dispatch } from '../kernels/kernel.ts';
import { valueBytes } from './memory.ts';
import type { Form, Plan } from './plan.ts';

/** The choices of a plan that has more than one kernel to choose from, each kind of work once. */
export function distinctChoices({ dispatches }: Plan): readonly Choice[] {
  const choices = new Map<string, Choice>();
  for (const { choice } of dispatches) {
    if (choice && choice.candidates.length > 1 && !choices.has(choice.signature)) choices.set(choice.signature, choice);
  }
  return [...choices.values()];
}

/** What passes chose from, each kind of work once. */
export function distinctForms({ forms }: Plan): readonly Form[] {
  return [...new Map(forms.map((form) => [form.signature, form])).values()];
}

/** A plan with the values that matter to whoever compares it with another one for the same work. */
export interface Excerpt extends Plan {
  /** Values that it reads and does not write. */
  readonly inputs: readonly string[];
  /** Values that it writes and others read, whoever wants the kept ones included. */
  readonly results: readonly string[];
}

/** The first op of a plan with that signature, or the ops of its first such form, all dispatches. */
export function isolate(plan: Plan, signature: string): Excerpt | undefined {
  const labels = labelsOf(plan, signature);
  const dispatches = plan.dispatches.filter(({ label }) => labels.includes(label));
  return dispatches.length > 0 ? excerpt(plan, dispatches) : undefined;
}

/** Some of a plan's dispatches as a plan of their own; every value has a buffer of its own. */
export function excerpt(plan: Plan, dispatches: readonly Dispatch[]): Excerpt {
  const { read, written } = bound(dispatches);
  const inputs = [...read].filter((value) => !written.has(value));
  const readElsewhere = new Set(plan.dispatches.flatMap((dispatch) => (dispatches.includes(dispatch) ? [] : valuesOf(dispatch).read)));
  const wanted = new Set([plan.output, ...plan.kept.values(), ...readElsewhere]);
  const results = [...written].filter((value) => wanted.has(value));
  const used = [...inputs, ...written];
  const keys = new Set(dispatches.flatMap(({ buffers }) => buffers.flatMap((ref) => ('constant' in ref ? [ref.constant] : []))));
  const bufferBytes = used.map((value) => valueBytes(plan.values.get(value)!, plan.dtype));
  return {
    ...plan,
    name: dispatches[dispatches.length - 1].label,
    input: inputs[0],
    output: results[0],
    inputs,
    results,
    values: new Map(used.map((value) => [value, plan.values.get(value)!])),
    dispatches,
    constants: new Map([...plan.constants].filter(([key]) => keys.has(key))),
    memory: {
      bufferBytes,
      bufferOf: new Map(used.map((value, index) => [value, index])),
      lowerBoundBytes: bufferBytes.reduce((sum, bytes) => sum + bytes, 0),
    },
  };
}

/**
 * The dispatches of a label, with as few others as give a plan whose inputs and results are all `known` values: one that writes what
 * only the scheduler knows goes with one that reads it, and the other way round. `results` are all values that it writes and knows.
 */
export function selfContained(plan: Plan, label: string, known: { has(value: string): boolean }): Excerpt {
  const labels = new Set([label]);
  const touching = (value: string, access: 'read' | 'written') => plan.dispatches.filter((dispatch) => valuesOf(dispatch)[access].includes(value));
  // Sets go on with what is added on the way.
  for (const added of labels) {
    const { read, written } = bound(plan.dispatches.filter((dispatch) => dispatch.label === added));
    for (const value of [...read, ...written]) {
      if (known.has(value)) continue;
      for (const writer of touching(value, 'written')) labels.add(writer.label);
      const readers = touching(value, 'read').map((reader) => reader.label);
      if (!readers.some((reader) => labels.has(reader))) labels.add(readers[0]);
    }
  }
  const dispatches = plan.dispatches.filter((dispatch) => labels.has(dispatch.label));
  const results = [...bound(dispatches).written].filter((value) => known.has(value));
  return { ...excerpt(plan, dispatches), output: results[0], results };
}

/** All values that some dispatches read, and those that they write. */
function bound(dispatches: readonly Dispatch[]): { read: Set<string>; written: Set<string> } {
  const all = dispatches.map(valuesOf);
  return { read: new Set(all.flatMap(({ read }) => read)), written: new Set(all.flatMap(({ written }) => written)) };
}

function labelsOf({ forms, dispatches }: Plan, signature: string): readonly string[] {
  const form = forms.find((form) => form.signature === signature);
  return form?.labels ?? dispatches.filter(({ choice }) => choice?.signature === signature).map(({ label }) => label).slice(0, 1);
}

/** A whole plan as an excerpt of itself. */
export function wholePlan(plan: Plan): Excerpt {
  return { ...plan, inputs: [plan.input], results: [plan.output] };
}

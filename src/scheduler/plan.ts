/**
 * A plan: everything an inference does, as data. Dispatches in order, the constants they read, the buffers their values
 * share. It can be printed, counted, compared and tested without a GPU.
 */
import type { Dtype } from '../tensor/dtype.ts';
import { formatImageShape } from '../tensor/image-shape.ts';
import type { Constant } from '../kernels/constants.ts';
import { valuesOf, type Choice, type Dispatch, type KernelCall } from '../kernels/kernel.ts';
import type { Memory, PlannedValue } from './memory.ts';

/** Ways to schedule a graph: `reference`, every CompConv as its recursive parts with nothing fused but epilogues; `optimized`, all that buys time. */
export const schedules = ['reference', 'optimized'] as const;
/** Name of a schedule. */
export type ScheduleName = (typeof schedules)[number];

/** Channels of a value that the dispatches of a label write. */
export interface WrittenPart {
  readonly label: string;
  readonly channels: readonly number[];
}

/** Several ways to carry out some ops that a pass chose from; a measured choice overrules its prediction. */
export interface Form extends Choice {
  /** What the dispatches are labelled that carry them out, whichever way is taken. */
  readonly labels: readonly string[];
}

/** All that a run does, as data. `printPlan` and `summarizePlan` are for reading it. */
export interface Plan {
  /** Name of the network. */
  readonly name: string;
  /** Name of the schedule that made it. */
  readonly schedule: ScheduleName;
  /** How activations and weights are stored. */
  readonly dtype: Dtype;
  readonly input: string;
  readonly output: string;
  /** By tap, the value that is there too at the end, complete: the tap's node names it. It may lie in another order: see its layout. */
  readonly kept: ReadonlyMap<string, string>;
  /** Every value that has a buffer. Input and output lie in the graph's own order. */
  readonly values: ReadonlyMap<string, PlannedValue>;
  readonly dispatches: readonly Dispatch[];
  /** Of the values that dispatches write in parts: which channels those of a label write. Every other value one label writes as a whole. */
  readonly parts: ReadonlyMap<string, readonly WrittenPart[]>;
  /** What passes chose, in order. */
  readonly forms: readonly Form[];
  readonly constants: ReadonlyMap<string, Constant>;
  readonly memory: Memory;
}

/** Counts of a plan, with units in the names. */
export interface PlanSummary {
  readonly dispatches: number;
  /** Dispatches by kernel. */
  readonly dispatchesByKernel: Readonly<Record<string, number>>;
  /** Distinct pipelines to compile. */
  readonly pipelines: number;
  readonly macs: number;
  readonly activationBytes: number;
  readonly activationLowerBoundBytes: number;
  readonly constantBytes: number;
}

/** Tells equal pipelines apart from different ones. */
export function pipelineKey({ kernel, overrides }: KernelCall): string {
  return [kernel.name, ...Object.entries(overrides).map(([name, value]) => `${name}=${value}`)].join(' ');
}

/** Counts what a plan holds, for people and reports. */
export function summarizePlan({ dispatches, constants, memory }: Plan): PlanSummary {
  const dispatchesByKernel: Record<string, number> = {};
  for (const { kernel } of dispatches) dispatchesByKernel[kernel.name] = (dispatchesByKernel[kernel.name] ?? 0) + 1;
  const sum = (numbers: Iterable<number>) => [...numbers].reduce((total, value) => total + value, 0);
  return {
    dispatches: dispatches.length,
    dispatchesByKernel,
    pipelines: new Set(dispatches.map(pipelineKey)).size,
    macs: sum(dispatches.map(({ macs }) => macs)),
    activationBytes: sum(memory.bufferBytes),
    activationLowerBoundBytes: memory.lowerBoundBytes,
    constantBytes: sum([...constants.values()].map(({ byteLength }) => byteLength)),
  };
}

/** The plan as text: one dispatch per line with what it reads and writes, then memory. */
export function printPlan(plan: Plan): string {
  const { dispatches, memory } = plan;
  const summary = summarizePlan(plan);
  const value = (name: string) => `${name}@${memory.bufferOf.get(name)}`;
  const kept = [...plan.kept].map(([tap, name]) => `${tap === name ? '' : `${tap} = `}${value(name)}`);
  const rows = dispatches.map((dispatch, index) => {
    const { read, written } = valuesOf(dispatch);
    const finish = [
      dispatch.sizes.affine ? 'affine' : '',
      ['', 'residual', 'residual by table'][dispatch.overrides.RESIDUAL ?? 0],
      dispatch.sizes.relu ? 'relu' : '',
      dispatch.overrides.TAIL ? 'tail' : '',
      dispatch.overrides.COPIES && dispatch.macs > 0 ? 'slices' : '',
    ];
    return [
      String(index),
      dispatch.kernel.name,
      written.map((name) => `${value(name)} ${formatImageShape(plan.values.get(name)!.shape)}`).join(', '),
      `<- ${[...new Set(read)].map(value).join(', ')}`,
      finish.filter(Boolean).join(' '),
      `${dispatch.workgroups.join('x')} workgroups`,
      dispatch.macs > 0 ? `${dispatch.macs} MACs` : '',
    ];
  });
  return [
    `${plan.name}, schedule ${plan.schedule}${plan.dtype === 'f32' ? '' : `, ${plan.dtype}`}: ${formatImageShape(plan.values.get(plan.input)!.shape)} -> ${formatImageShape(plan.values.get(plan.output)!.shape)}`,
    `input ${value(plan.input)}, output ${value(plan.output)}${kept.length > 0 ? `, kept ${kept.join(', ')}` : ''}; value@buffer`,
    ...alignColumns(rows),
    `${summary.dispatches} dispatches, ${summary.pipelines} pipelines, ${summary.macs} MACs`,
    `activations ${summary.activationBytes} bytes in ${memory.bufferBytes.length} buffers (lower bound ${memory.lowerBoundBytes}), ` +
      `constants ${summary.constantBytes} bytes`,
    '',
  ].join('\n');
}

function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join('  ').trimEnd());
}

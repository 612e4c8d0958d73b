/**
 * From a graph to a plan: the passes, in order. The schedule `reference` is every CompConv as its recursive
 * sub-dispatches, nothing fused but epilogues; `optimized` adds the passes that buy time.
 */
import { CompConvError, invariant } from '../errors.ts';
import { plainLayout } from '../tensor/channel-layout.ts';
import type { Dtype } from '../tensor/dtype.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import type { Graph } from '../graph/graph.ts';
import { resolveTap } from '../graph/taps.ts';
import type { Constant } from '../kernels/constants.ts';
import type { Dispatch, KernelLimits } from '../kernels/kernel.ts';
import { lowerAvoiding, planAvoiding } from './avoid.ts';
import { collapseModules } from './collapse-modules.ts';
import { dropUnreadNodes } from './drop-unread-nodes.ts';
import { expandModules } from './expand-modules.ts';
import { freeShuffle } from './free-shuffle.ts';
import { freeSlices } from './free-slices.ts';
import { fuseEpilogues } from './fuse-epilogues.ts';
import { fuseModules } from './fuse-modules.ts';
import { fuseTails } from './fuse-tails.ts';
import { assignMemory, valueBytes, type PlannedValue } from './memory.ts';
import { mergeGrows } from './merge-grows.ts';
import { schedules, type Form, type Plan, type ScheduleName, type WrittenPart } from './plan.ts';
import { opsWithin, type Decision, type Joined, type Program } from './program.ts';
import { scaleTails } from './scale-tails.ts';
import { settleLayouts, surroundings } from './settle-layouts.ts';
import { zeroCopyConcat } from './zero-copy-concat.ts';

/** What a plan must fit into: limits of an adapter, by WebGPU's names, in bytes and counts. */
export interface ScheduleLimits extends KernelLimits {
  readonly maxBufferSize: number;
}

/** What every WebGPU adapter offers; plans made with it run anywhere. */
export const DEFAULT_LIMITS: ScheduleLimits = {
  maxStorageBufferBindingSize: 128 * 2 ** 20,
  maxBufferSize: 256 * 2 ** 20,
  maxComputeWorkgroupsPerDimension: 65535,
  maxTextureDimension2D: 8192,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeInvocationsPerWorkgroup: 256,
};

/** Name of an optimization. */
export type PassName =
  | 'free-shuffle'
  | 'scale-tails'
  | 'zero-copy-concat'
  | 'merge-grows'
  | 'collapse-modules'
  | 'free-slices'
  | 'fuse-tails'
  | 'fuse-modules';

/** What the schedule `optimized` does beyond `reference`, in order. Each can be left out by name. */
const optimizations = {
  'free-shuffle': freeShuffle,
  'scale-tails': scaleTails,
  'zero-copy-concat': zeroCopyConcat,
  'merge-grows': mergeGrows,
  'collapse-modules': collapseModules,
  'free-slices': freeSlices,
  'fuse-tails': fuseTails,
  'fuse-modules': fuseModules,
} satisfies Readonly<Record<PassName, (program: Program, decision: Decision) => Program>>;

/** The optimizations of the schedule `optimized`, in order. */
export const passNames = Object.keys(optimizations) as readonly PassName[];

/** Those that take a decision. */
type Deciding = { [K in PassName]: Parameters<(typeof optimizations)[K]> extends [Program] ? never : K }[PassName];
const deciding: Readonly<Record<Deciding, true>> = { 'collapse-modules': true, 'fuse-tails': true, 'fuse-modules': true };

/** Optimizations that leave out what they do not expect to pay, in order: forcing others changes nothing. */
export const forceablePasses = Object.keys(deciding) as readonly PassName[];

/** How a graph becomes a plan. */
export interface ScheduleOptions {
  /** Default `optimized`. */
  readonly schedule?: ScheduleName | undefined;
  /** How activations and weights are stored; sums are float32. Default `f32`. */
  readonly dtype?: Dtype | undefined;
  /** Passes to leave out. */
  readonly withoutPasses?: readonly PassName[] | undefined;
  /** Passes to carry out wherever they can be, also where they are not expected to pay. */
  readonly forcedPasses?: readonly PassName[] | undefined;
  /** Kernels and forms to take instead of the predicted ones, by signature: what tuning measured. */
  readonly choices?: ReadonlyMap<string, string> | undefined;
  /**
   * Taps: values that must be in memory at the end besides the output, complete, by the names of nodes, or of
   * modules, which stand for their last node. Nothing is fused with a tapped value's readers. `Plan.kept` says which values they are.
   */
  readonly keep?: readonly string[] | undefined;
  /** Pipelines to do without wherever the plan can: `excluded` of a self-test's report. */
  readonly excluded?: ReadonlySet<string> | undefined;
  /** Called with the program before the first pass, named `fuse-epilogues`, and after each one. */
  readonly onPass?: ((name: string, program: Program) => void) | undefined;
}

/** Makes the plan of a graph for an adapter's limits. @throws limit-exceeded naming what does not fit; invalid-graph, invalid-argument. */
export function schedule(graph: Graph, limits: ScheduleLimits = DEFAULT_LIMITS, options: ScheduleOptions = {}): Plan {
  const { excluded = new Set(), withoutPasses = [] } = options;
  const passes = options.schedule === 'reference' ? [] : passNames.filter((pass) => !withoutPasses.includes(pass));
  return planAvoiding(passes, excluded, (without) => makePlan(graph, limits, { ...options, excluded, withoutPasses: [...withoutPasses, ...without] }));
}

function makePlan(graph: Graph, limits: ScheduleLimits, options: ScheduleOptions & Required<Pick<ScheduleOptions, 'excluded'>>): Plan {
  const { schedule: name = 'optimized', dtype = 'f32', keep = [], excluded } = options;
  const kept = new Map(keep.map((tap) => [tap, resolveTap(graph, tap)]));
  const forms: Form[] = [];
  const wanted = [...new Set(kept.values())];
  const program = optimize(fuseEpilogues(expandModules(dropUnreadNodes(graph, wanted)), wanted), limits, options, forms);
  if (program.ops.length === 0) throw new CompConvError('invalid-graph', `${graph.name}: there is nothing to run but the input`);
  const around = surroundings(program, { limits, dtype, ...(options.choices && { choices: options.choices }) });
  const dispatches: Dispatch[] = [];
  const constants = new Map<string, Constant>();
  const values = new Map<string, PlannedValue>();
  const addValue = (name: string, shape: ImageShape, layout = around.layoutOf(name)) => values.set(name, { shape, pitch: layout.pitch, layout });
  addValue(program.input, program.inputShape);
  for (const [joined, { shape }] of program.joined) addValue(joined, shape);
  for (const op of program.ops) {
    if (!op.stores || op.stores.some(({ value }) => value === op.name)) addValue(op.name, op.output);
    const lowered = lowerAvoiding(op, around, excluded);
    const layer = layerOf(graph, op.source);
    dispatches.push(...lowered.dispatches.map((call) => ({ ...call, layer })));
    for (const constant of lowered.constants) constants.set(constant.key, constant);
    for (const [temporary, shape] of lowered.temporaries ?? []) addValue(temporary, shape, plainLayout(shape.c));
  }
  const plan: Plan = {
    name: graph.name,
    schedule: name,
    dtype,
    input: program.input,
    output: program.output,
    kept,
    values,
    dispatches,
    parts: writtenParts(program),
    forms,
    constants,
    memory: assignMemory(dispatches, values, program.input, [program.output, ...program.kept], dtype),
  };
  checkLimits(plan, limits);
  return plan;
}

/** The values in parts, by the ops that are left: what became part of another op is written by that. */
function writtenParts({ ops, joined }: Program): Map<string, WrittenPart[]> {
  const labels = new Map(ops.flatMap((op) => opsWithin(op).map(({ name }) => [name, op.name] as const)));
  const written = ({ parts }: Joined) => parts.map(({ writer, channels }) => ({ label: labels.get(writer)!, channels }));
  return new Map([...joined].map(([name, value]) => [name, written(value)]));
}

/** The node of a graph that an op of its program comes from: parts of a CompConv carry its name in front of their own. */
function layerOf({ shapes }: Graph, source: string): string {
  for (let name = source; ; name = name.slice(0, name.lastIndexOf('.'))) {
    if (shapes.has(name)) return name;
    invariant(name.includes('.'), `${source} comes from no node of the graph`);
  }
}

/** @param forms gets what passes choose */
function optimize(fused: Program, limits: ScheduleLimits, options: ScheduleOptions, forms: Form[]): Program {
  const { schedule: name = 'optimized', dtype = 'f32', withoutPasses = [], forcedPasses = [], choices, onPass } = options;
  if (!schedules.includes(name)) {
    throw new CompConvError('invalid-argument', `unknown schedule ${JSON.stringify(name)}; known are ${schedules.join(', ')}`);
  }
  const unknown = [...withoutPasses, ...forcedPasses].find((pass) => !passNames.includes(pass));
  if (unknown !== undefined) {
    throw new CompConvError('invalid-argument', `unknown pass ${JSON.stringify(unknown)}; known are ${passNames.join(', ')}`);
  }
  const choose = (form: Form): string => {
    const signature = `${form.signature} ${dtype}`;
    forms.push({ ...form, signature });
    const chosen = choices?.get(signature);
    return form.candidates.find((candidate) => candidate === chosen) ?? form.candidates[0];
  };
  let program = fused;
  onPass?.('fuse-epilogues', program);
  for (const pass of name === 'optimized' ? passNames : []) {
    if (withoutPasses.includes(pass)) continue;
    program = optimizations[pass](program, { limits, isForced: forcedPasses.includes(pass), choose });
    onPass?.(pass, program);
  }
  program = settleLayouts(program);
  onPass?.('settle-layouts', program);
  return program;
}

/** Every buffer is checked before anything runs: beyond its limits an adapter gives wrong images, not errors. */
function checkLimits(plan: Plan, limits: ScheduleLimits): void {
  const largest = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  const fail = (what: string, bytes: number, advice: string) =>
    new CompConvError('limit-exceeded', `${plan.name}: ${what} needs ${bytes} bytes, but this adapter binds at most ${largest}; ${advice}`);
  for (const [name, value] of plan.values) {
    if (valueBytes(value, plan.dtype) > largest) throw fail(`the value ${name}`, valueBytes(value, plan.dtype), 'use a smaller batch or image');
  }
  for (const { key, byteLength } of plan.constants.values()) {
    invariant(Number.isFinite(byteLength), `the constant ${key} has ${byteLength} bytes`);
    if (byteLength > largest) throw fail(`the constant ${key}`, byteLength, 'use a smaller network');
  }
  for (const { label, workgroups } of plan.dispatches) {
    invariant(workgroups.every(Number.isFinite), `${label} has ${workgroups.join('x')} workgroups`);
    if (workgroups.some((count) => count > limits.maxComputeWorkgroupsPerDimension)) {
      throw new CompConvError('limit-exceeded', `${label}: needs ${workgroups.join('x')} workgroups; use a smaller batch or image`);
    }
  }
}


/**
 * From a graph to a plan: the passes, in order. The schedule `reference` is every CompConv as its recursive
 * sub-dispatches, nothing fused but epilogues; `optimized` adds the passes that buy time.
 */
import { CompConvError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import type { Constant } from '../kernels/constants.ts';
import type { Dispatch, KernelLimits } from '../kernels/kernel.ts';
import { lower } from '../kernels/kernels.ts';
import { expandModules } from './expand-modules.ts';
import { freeShuffle } from './free-shuffle.ts';
import { fuseEpilogues } from './fuse-epilogues.ts';
import { assignMemory, valueBytes } from './memory.ts';
import { scaleTails } from './scale-tails.ts';
import { schedules, type Plan, type ScheduleName } from './plan.ts';

export interface ScheduleLimits extends KernelLimits {
  readonly maxBufferSize: number;
}

/** What every WebGPU adapter offers; plans made with it run anywhere. */
export const DEFAULT_LIMITS: ScheduleLimits = {
  maxStorageBufferBindingSize: 128 * 2 ** 20,
  maxBufferSize: 256 * 2 ** 20,
  maxComputeWorkgroupsPerDimension: 65535,
};

/** Makes the plan of a graph for an adapter's limits. @throws limit-exceeded naming what does not fit; invalid-graph, invalid-argument. */
export function schedule(graph: Graph, limits: ScheduleLimits = DEFAULT_LIMITS, name: ScheduleName = 'optimized'): Plan {
  if (!schedules.includes(name)) {
    throw new CompConvError('invalid-argument', `unknown schedule ${JSON.stringify(name)}; known are ${schedules.join(', ')}`);
  }
  const fused = fuseEpilogues(expandModules(graph));
  const ops = name === 'optimized' ? scaleTails(freeShuffle(fused, graph.output)) : fused;
  if (ops.length === 0) throw new CompConvError('invalid-graph', `${graph.name}: there is nothing to run but the input`);
  const shapes = new Map([[graph.input, graph.shapes.get(graph.input)!]]);
  const dispatches: Dispatch[] = [];
  const constants = new Map<string, Constant>();
  for (const op of ops) {
    const lowered = lower(op, limits);
    dispatches.push(...lowered.dispatches);
    for (const constant of lowered.constants) constants.set(constant.key, constant);
    for (const [name, shape] of lowered.temporaries ?? []) shapes.set(name, shape);
    shapes.set(op.name, op.output);
  }
  const memory = assignMemory(dispatches, shapes, graph.input, graph.output);
  const plan: Plan = {
    name: graph.name,
    schedule: name,
    input: graph.input,
    output: graph.output,
    shapes,
    dispatches,
    constants,
    memory,
  };
  checkLimits(plan, limits);
  return plan;
}

/** Every buffer is checked before anything runs: beyond its limits an adapter gives wrong images, not errors. */
function checkLimits(plan: Plan, limits: ScheduleLimits): void {
  const largest = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  const fail = (what: string, bytes: number, advice: string) =>
    new CompConvError('limit-exceeded', `${plan.name}: ${what} needs ${bytes} bytes, but this adapter binds at most ${largest}; ${advice}`);
  for (const [name, shape] of plan.shapes) {
    if (valueBytes(shape) > largest) throw fail(`the value ${name}`, valueBytes(shape), 'use a smaller batch or image');
  }
  for (const { key, byteLength } of plan.constants.values()) {
    if (byteLength > largest) throw fail(`the constant ${key}`, byteLength, 'use a smaller network');
  }
  for (const { label, workgroups } of plan.dispatches) {
    if (workgroups.some((count) => count > limits.maxComputeWorkgroupsPerDimension)) {
      throw new CompConvError('limit-exceeded', `${label}: needs ${workgroups.join('x')} workgroups; use a smaller batch or image`);
    }
  }
}


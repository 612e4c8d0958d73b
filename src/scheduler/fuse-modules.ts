/**
 * Pass: a linear 1x1 module in one dispatch. After the other passes it is two convolutions: the primitive, which copies the
 * slices along, and a grow of what these two write beside their parts of the result. Without neighbours to look at, a workgroup
 * can carry out both for its own pixels, and the value between them disappears.
 *
 * Every workgroup then reads all weights. GPUs gain where these are small and there are many workgroups; software adapters,
 * to whom a dispatch costs little and a barrier much, do not.
 */
import { LANES, channelVectors } from '../tensor/channel-layout.ts';
import { tilePixels } from '../kernels/conv2d-then-conv2d.ts';
import type { FusedOp } from '../kernels/fused-op.ts';
import { fitCopies, vectorsOf } from '../kernels/store-runs.ts';
import type { Surroundings } from '../kernels/kernel.ts';
import type { Conv2dAttrs } from '../ops/conv2d.ts';
import { chained, countReaders, isBare, joins, type Decision, type Op, type Program } from './program.ts';
import { surroundings } from './settle-layouts.ts';

/** Weights up to this size are read in about the time that a dispatch costs. */
const MOST_WEIGHTS = 150 * 1024 / (LANES * LANES * 4);
const LEAST_WORKGROUPS = 24;

export function fuseModules(program: Program, decision: Decision): Program {
  if (decision.limits.isSoftware && !decision.isForced) return program;
  const around = surroundings(program);
  const readers = countReaders(program);
  const ops = new Map(program.ops.map((op) => [op.name, op]));
  const joined = new Map(program.joined);
  const layouts = new Map(program.layouts);
  const writers = writersOf(program);
  for (const grow of program.ops) {
    const between = grow.inputs[0];
    const [primitive, ...others] = writers.get(between) ?? [];
    if (!primitive || others.length > 0 || readers.get(between) !== 1 || !program.joined.has(between)) continue;
    const fused = fusedModule(primitive, grow, around);
    if (!fused) continue;
    if (!joins(decision, isWorthwhile(primitive, grow, around), signatureOf(primitive, grow), [primitive.name, grow.name])) continue;
    ops.delete(primitive.name);
    ops.set(grow.name, fused);
    // It lies in workgroup memory as it would as a value.
    layouts.set(between, around.layoutOf(between));
    joined.delete(between);
  }
  return { ...program, ops: [...ops.values()], joined, layouts };
}

/** The ops that write a value in parts, themselves or by a copy. */
function writersOf({ ops }: Program): Map<string, Op[]> {
  const writers = new Map<string, Op[]>();
  for (const op of ops) {
    const stores = [op, ...(op.copies ?? [])].flatMap(({ stores = [] }) => stores);
    for (const value of new Set(stores.map(({ value }) => value))) writers.set(value, [...(writers.get(value) ?? []), op]);
  }
  return writers;
}

/** Both in one, if nothing but runs of one value that follow each other is left to store. */
function fusedModule(first: Op, second: Op, around: Surroundings): Op | undefined {
  const [between] = second.inputs;
  if (!isLinear(first) || !isLinear(second) || second.attrs.stride !== 1 || second.copies || !first.copies) return undefined;
  const [run, tail, ...more] = second.stores ?? [];
  const runs = first.stores!.filter(({ value }) => value !== between);
  if (!run || more.length > 0 || runs.length !== 1) return undefined;
  const [part] = runs;
  const vectors = channelVectors(first.output.c);
  const isWhole = part.first === 0 && part.vectors === vectors && run.first === 0 && run.at === part.at + vectors;
  const isOneValue = [part, run, tail ?? run].every(({ value, finish }) => value === run.value && finish === run.finish);
  const copies = fitCopies(first.copies, run.value, between, around);
  if (!isWhole || !isOneValue || copies?.scratchVectors !== copies?.vectors) return undefined;
  if (tilePixels(vectorsOf(between, around), pixelsOf(first)) === undefined) return undefined;
  const stores = [{ ...part, vectors: vectors + run.vectors }, ...(tail ? [{ ...tail, first: vectors + tail.first }] : [])];
  const finished = first.copies.map((copy) => ({ ...copy, stores: copy.stores!.filter(({ value }) => value !== between) }));
  return chained({ op: 'conv2d-then-conv2d', first, second, between }, stores, finished);
}

function signatureOf(first: Op, second: Op): string {
  const { n, h, w } = first.output;
  const channels = [first.inputShapes[0].c, first.output.c, second.inputShapes[0].c, second.output.c];
  return `module ${n}x${h}x${w} ${channels.join(' ')}`;
}

function isWorthwhile(first: Op, second: Op, around: Surroundings): boolean {
  const vectors = [first, second].map(({ inputs, name }) => vectorsOf(inputs[0], around) * vectorsOf(name, around));
  const workgroups = Math.ceil(pixelsOf(first) / tilePixels(vectorsOf(second.inputs[0], around), pixelsOf(first))!);
  return vectors[0] + vectors[1] <= MOST_WEIGHTS && workgroups >= LEAST_WORKGROUPS;
}

function pixelsOf({ output: { n, h, w } }: Op): number {
  return n * h * w;
}

function isLinear(op: Op): op is Op & FusedOp<Conv2dAttrs> {
  const { attrs } = op;
  return attrs.op === 'conv2d' && attrs.kernelSize === 1 && attrs.padding === 0 && attrs.groups === 1 && isBare(op);
}

/**
 * What the passes transform: fused ops in order of execution, and the values that several of them write. Every pass is a
 * function from program to program; what it gives computes the same.
 */
import { segmentedLayout, type ChannelLayout } from '../tensor/channel-layout.ts';
import { formatImageShape, type ImageShape } from '../tensor/image-shape.ts';
import type { ChainAttrs, Epilogue, FusedOp, Store } from '../kernels/fused-op.ts';
import type { KernelLimits } from '../kernels/kernel.ts';
import type { KernelAttrs } from '../kernels/kernels.ts';
import type { Form } from './plan.ts';

export type Op = FusedOp<KernelAttrs>;

export interface Program {
  readonly ops: readonly Op[];
  readonly input: string;
  readonly inputShape: ImageShape;
  readonly output: string;
  /** Values that someone wants besides the output: each has one reader more than there are ops that read it. */
  readonly kept: readonly string[];
  /** Values that several ops write, each a part. */
  readonly joined: ReadonlyMap<string, Joined>;
  /** How the channels of a value or of an op's result lie, where it is not the graph's own order. */
  readonly layouts: ReadonlyMap<string, ChannelLayout>;
}

/** What a pass that does not always pay decides by. */
export interface Decision {
  readonly limits: KernelLimits;
  /** Whether to do it wherever it can be done. */
  readonly isForced: boolean;
  /** Which candidate to take: the first one, which is predicted to be the fastest, unless another was measured to be. */
  choose(form: Form): string;
}

/** Whether a pass brings two dispatches into one; `pays`: whether that is predicted to be faster. `labels`: see `Form`. */
export function joins({ isForced, choose }: Decision, pays: boolean, signature: string, labels: readonly string[]): boolean {
  const candidates = pays ? [ONE, TWO] : [TWO, ONE];
  return isForced || choose({ signature, candidates, labels }) === ONE;
}

const [ONE, TWO] = ['one dispatch', 'two dispatches'];

/** A value in parts. */
export interface Joined {
  readonly shape: ImageShape;
  /** In the order in which they lie in memory. */
  readonly parts: readonly Part[];
}

export interface Part {
  /** The op that writes it. */
  readonly writer: string;
  /** Which of the value's channels it is, in the order of its lanes. */
  readonly channels: readonly number[];
}

/** The layout of a value in parts. */
export function joinedLayout({ parts }: Joined): ChannelLayout {
  return segmentedLayout(parts.map(({ channels }) => channels));
}

/** An op with what it carries out: its copies, both ops of a chain. */
export function opsWithin(op: Op): FusedOp[] {
  const { attrs, copies = [] } = op;
  return [op, ...copies, ...('first' in attrs ? [attrs.first, ...(attrs.first.copies ?? []), attrs.second] : [])];
}

/** Two ops in one dispatch, in place of the second one. `stores`: what is stored of them finished. */
export function chained(attrs: ChainAttrs, stores: readonly Store[], copies?: FusedOp['copies']): Op {
  const { first, second } = attrs;
  const { name, source } = second;
  const { inputs, inputShapes, output } = first;
  const macs = first.macs + second.macs;
  const own = { name, attrs, inputs, inputShapes, output: { ...output, c: second.output.c }, source, macs };
  return { ...own, affine: [], relu: false, stores, ...(copies && { copies }) };
}

/** How often each value is read, as input or residual, on the way to a value in parts too; being the output counts, and being kept. */
export function countReaders({ ops, output, kept }: Program): Map<string, number> {
  const readers = new Map<string, number>();
  for (const value of [output, ...kept]) readers.set(value, (readers.get(value) ?? 0) + 1);
  for (const op of ops) {
    // Ops that write parts of one value add the same residual, each to its own part: one reader each does no harm.
    const residuals = [op, ...(op.copies ?? [])].flatMap(({ residual, stores = [] }) => [residual, ...stores.map(({ finish }) => finish?.residual)]);
    for (const value of [...op.inputs, ...residuals]) if (value !== undefined) readers.set(value, (readers.get(value) ?? 0) + 1);
  }
  return readers;
}

/** A program with what passes look up in it. */
export interface Index {
  readonly program: Program;
  readonly op: ReadonlyMap<string, Op>;
  /** See `countReaders`. */
  readonly readers: ReadonlyMap<string, number>;
  /** The ops that write parts of a value. */
  readonly writers: ReadonlyMap<string, readonly Op[]>;
}

export function indexed(program: Program): Index {
  const writers = new Map<string, Op[]>();
  for (const op of program.ops) {
    for (const value of new Set(op.stores?.map((store) => store.value))) writers.set(value, [...(writers.get(value) ?? []), op]);
  }
  return { program, op: new Map(program.ops.map((op) => [op.name, op])), readers: countReaders(program), writers };
}

/** Whether nothing happens to what an op computes. */
export function isBare({ affine, residual, relu }: Epilogue): boolean {
  return affine.length === 0 && residual === undefined && !relu;
}

/** Whether a value in parts is what its writers compute: nothing is done to it on the way. */
export function isRaw({ writers }: Index, value: string): boolean {
  return writers.get(value)!.every(({ stores = [] }) => stores.every((store) => store.value !== value || store.finish === undefined));
}

/** The program as lines of text: each op, what it computes, where that goes, what happens on the way; then the values in parts. */
export function printProgram({ ops, joined, output }: Program): string[] {
  const lines = ops.map((op) => {
    const { attrs, name, inputs, stores, copies = [] } = op;
    const targets = stores
      ? stores.map(({ value, at, first, vectors, finish }, i) => `${value}[${4 * at}..] = ${storedResult(op, i)}[${4 * first}..${4 * (first + vectors)}]${finish ? epilogue(finish) : ''}`)
      : [name];
    const copied = copies.flatMap((copy) => (copy.stores ?? []).map(({ value, at }) => `${value}[${4 * at}..] = ${copy.name}`));
    return `${attrs.op} ${inputs.join(', ')}${epilogue(op)} -> ${[...targets, ...copied].join('; ')} ${formatImageShape(op.output)}`;
  });
  const values = [...joined].map(([name, { parts }]) => `${name} = ${parts.map(({ writer, channels }) => `${writer} (${channels.length})`).join(' | ')}`);
  return [...lines, ...values, `output ${output}`];
}

/** Of what a store is a run, as text. */
function storedResult({ name, attrs }: Op, store: number): string {
  if (attrs.op === 'conv2d-then-depthwise') return [attrs.first.name, name][store];
  return attrs.op === 'conv2d-then-conv2d' ? `(${attrs.first.name} | ${name})` : name;
}

function epilogue({ affine, residual, relu }: Epilogue): string {
  const steps = [...affine.map(({ kind }) => kind), ...(residual === undefined ? [] : [`+ ${residual}`]), ...(relu ? ['relu'] : [])];
  return steps.map((step) => ` ${step}`).join('');
}

/**
 * Pass: no concatenation is carried out. The ops whose results it would join write their parts of the value themselves,
 * with its epilogue; where a deeper convolution needs the result as it was before the epilogue, they write that too, into
 * a value of its own. A part begins a vec4, so that none is shared.
 *
 * Where an input cannot be written in place (the network's input, a pool's result, one that is computed before the
 * residual is), a copy of it is a part. A concatenation that would need more copies than it saves stays.
 */
import { channelVectors, shuffledChannel } from '../tensor/channel-layout.ts';
import type { ChannelSliceAttrs } from '../ops/channel-slice.ts';
import type { Epilogue, FusedOp, JoinAttrs, Store } from '../kernels/fused-op.ts';
import { countReaders, isBare, type Joined, type Op, type Program } from './program.ts';

/** A run of a concatenation's channels: the first `channels.length` of a value. */
interface Piece {
  readonly value: string;
  /** Which of the concatenation's channels they are. */
  readonly channels: readonly number[];
}

export function zeroCopyConcat(program: Program): Program {
  const ops = new Map(program.ops.map((op) => [op.name, op]));
  const order = new Map(program.ops.map(({ name }, index) => [name, index]));
  const stores = new Map<string, Store[]>();
  const joined = new Map<string, Joined>(program.joined);
  const pieces = new Map<string, readonly Piece[]>();
  const ownReaders = readersBesidesConcats(program);
  const copiesBefore = new Map<string, Op[]>();
  /** By copy, the value that it copies. */
  const copiedBy = new Map<string, string>();

  for (const concat of program.ops) {
    if (concat.attrs.op !== 'channel-concat') continue;
    const flat = flatten(concat as FusedOp<JoinAttrs>, pieces);
    const ready = concat.residual === undefined ? -1 : (order.get(concat.residual) ?? -1);
    const planned = new Map<string, number>();
    const isStored = ({ value }: Piece) => {
      const op = ops.get(value);
      const runs = (planned.get(value) ?? 0) + 1;
      planned.set(value, runs);
      return op !== undefined && order.get(value)! > ready && canStore(op, runs, stores.get(value) ?? [], (ownReaders.get(value) ?? 0) > 0);
    };
    // A value may be a piece twice: each copy has a name of its own. A copy has no value of its own, so what it copies is copied again.
    const copyAs = ({ value, channels }: Piece, index: number) => {
      const copied = copiedBy.get(value) ?? value;
      return copyOf(copied, channels.length, concat, `${copied}~${concat.name}.${index}`);
    };
    const parts = flat.map((piece, index) => ({ ...piece, copy: isStored(piece) ? undefined : copyAs(piece, index) }));
    const copies = parts.flatMap(({ copy }) => copy ?? []);
    const stays = copies.length > parts.length - copies.length;
    for (const value of stays ? concat.inputs : copies.flatMap(({ inputs }) => inputs)) {
      ownReaders.set(value, (ownReaders.get(value) ?? 0) + 1);
    }
    if (stays) continue;
    copiesBefore.set(concat.name, copies);
    const named = parts.map(({ value, channels, copy }) => ({ channels, writer: copy?.name ?? value }));
    for (const copy of copies) {
      copiedBy.set(copy.name, copy.inputs[0]);
      ops.set(copy.name, copy);
      order.set(copy.name, order.get(concat.name)!);
    }
    const sorted = inOrderOfWriting(named, ops, order);
    const finish: Epilogue | undefined = isBare(concat) ? undefined : { affine: concat.affine, residual: concat.residual, relu: concat.relu };
    let at = 0;
    for (const { writer, channels } of sorted) {
      const vectors = channelVectors(channels.length);
      stores.set(writer, [...(stores.get(writer) ?? []), { value: concat.name, at, first: 0, vectors, ...(finish && { finish }) }]);
      at += vectors;
    }
    // What the tails of 1x1 modules cost is counted with the op that computes them now.
    const last = ops.get(sorted[sorted.length - 1].writer)!;
    ops.set(last.name, { ...last, macs: last.macs + concat.macs });
    ops.delete(concat.name);
    if (!finish) pieces.set(concat.name, named.map(({ writer, channels }) => ({ value: writer, channels })));
    joined.set(concat.name, { shape: concat.output, parts: sorted.map(({ writer, channels }) => ({ writer, channels })) });
  }
  return dropUnread({ ...program, ops: placed(program, ops, copiesBefore, stores, ownReaders), joined });
}

/** Its pieces, those of joined inputs in their stead. */
function flatten(concat: FusedOp<JoinAttrs>, pieces: ReadonlyMap<string, readonly Piece[]>): Piece[] {
  const { widths = concat.inputShapes.map(({ c }) => c), groups = 1 } = concat.attrs;
  let begin = 0;
  return concat.inputs.flatMap((value, i) => {
    const first = begin;
    begin += widths[i];
    const channel = (position: number) => shuffledChannel(first + position, concat.output.c, groups);
    const inner = widths[i] === concat.inputShapes[i].c ? pieces.get(value) : undefined;
    if (inner) return inner.map((piece) => ({ value: piece.value, channels: piece.channels.map(channel) }));
    return [{ value, channels: Array.from({ length: widths[i] }, (_, j) => channel(j)) }];
  });
}

/** How many others than concatenations want an op's result as a value of its own; one that is in more than two is copied to them. */
function readersBesidesConcats({ ops, ...program }: Program): Map<string, number> {
  const readers = countReaders({ ...program, ops: ops.map((op) => (op.attrs.op === 'channel-concat' ? { ...op, inputs: [] } : op)) });
  const concats = ops.filter(({ attrs }) => attrs.op === 'channel-concat');
  /** How often it could be a part of joined values, those of which one is a part included. */
  const goals = (value: string): number =>
    concats.reduce((sum, concat) => {
      const times = concat.inputs.filter((input) => input === value).length;
      return times === 0 ? sum : sum + times * (1 + (isBare(concat) ? goals(concat.name) : 0));
    }, 0);
  for (const { name } of ops) if (goals(name) > 2) readers.set(name, (readers.get(name) ?? 0) + 1);
  return readers;
}

/**
 * Whether an op can store one more run. The kernels store into at most two values: into one of them as it is, into the
 * other up to two runs, finished.
 */
function canStore(op: Op, runs: number, before: readonly Store[], isRead: boolean): boolean {
  const { attrs } = op;
  const isKind = attrs.op === 'conv2d' || attrs.op === 'depthwise-conv2d' || attrs.op === 'channel-slice';
  if (!isKind || op.residual !== undefined || (attrs.op === 'conv2d' && attrs.groups > 1)) return false;
  if (runs > (attrs.op === 'conv2d' ? 2 : 1)) return false;
  const others = before.length + (isRead ? 1 : 0);
  return others <= 1 && before.every(({ finish }) => finish === undefined);
}

/** A copy of a value's first channels, as an op. */
function copyOf(value: string, channels: number, concat: Op, name: string): FusedOp<ChannelSliceAttrs> {
  const shape = concat.inputShapes[concat.inputs.indexOf(value)] ?? concat.output;
  return {
    name,
    attrs: { op: 'channel-slice', begin: 0, channels, stride: 1 },
    inputs: [value],
    inputShapes: [shape],
    output: { ...concat.output, c: channels },
    affine: [],
    relu: false,
    source: concat.source,
    macs: 0,
  };
}

/**
 * Slices first, the last ones leading, then by the op that writes them, a whole result before a prefix of it: what one
 * dispatch writes is one run, and what `mergeGrows` can skip lies in front.
 */
function inOrderOfWriting<P extends { writer: string; channels: readonly number[] }>(
  parts: readonly P[],
  ops: ReadonlyMap<string, Op>,
  order: ReadonlyMap<string, number>,
): P[] {
  const rank = ({ writer }: P) => (ops.get(writer)!.attrs.op === 'channel-slice' ? -1 - order.get(writer)! : order.get(writer)!);
  return [...parts].sort((a, b) => rank(a) - rank(b) || (a.writer === b.writer ? b.channels.length - a.channels.length : 0));
}

/** The ops in order, with their stores, copies in front of where the concatenation was. */
function placed(
  program: Program,
  ops: ReadonlyMap<string, Op>,
  copiesBefore: ReadonlyMap<string, readonly Op[]>,
  stores: ReadonlyMap<string, readonly Store[]>,
  ownReaders: ReadonlyMap<string, number>,
): Op[] {
  return program.ops.flatMap(({ name }) => [...(copiesBefore.get(name) ?? []).map((copy) => ops.get(copy.name)!), ...(ops.has(name) ? [ops.get(name)!] : [])]).map((op) => {
    const places = stores.get(op.name);
    if (!places) return op;
    const own: Store[] = (ownReaders.get(op.name) ?? 0) > 0 ? [{ value: op.name, at: 0, first: 0, vectors: channelVectors(op.output.c) }] : [];
    return { ...op, stores: [...own, ...places] };
  });
}

/** Without the joined values that nobody reads any more, since what they were joined with took over their parts. */
function dropUnread(program: Program): Program {
  const readers = countReaders(program);
  const joined = new Map([...program.joined].filter(([name]) => readers.has(name)));
  const ops = program.ops.map((op) => (op.stores ? { ...op, stores: op.stores.filter(({ value }) => joined.has(value) || value === op.name) } : op));
  return { ...program, ops, joined };
}

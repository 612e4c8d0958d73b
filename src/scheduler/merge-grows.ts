/**
 * Pass: the two grows of a linear 1x1 module of depth 3 in one dispatch. Without anything between them they are one linear
 * map: with `G0` and `G1` the weights and `X = (A2, B2)`
 *
 *   B1 = G0 X,    B0 = G1 (A1, B1) = G1a A1 + (G1b G0) X
 *
 * so that `(B1, B0)` is one matrix times `(X, A1)`. Multiplied out at load in float64. With c channels in the primitive it
 * has 24 c^2 instead of 20 c^2 entries, 4 c^2 of them 0, which tiles of `B1` alone skip, and saves a dispatch, a wait and the way of B1 through memory.
 */
import { LANES, channelVectors, segmentedLayout } from '../tensor/channel-layout.ts';
import type { Conv2dAttrs } from '../ops/conv2d.ts';
import type { FusedOp, Store } from '../kernels/fused-op.ts';
import { addRows, ownMatrix, type Matrix } from '../kernels/matrix.ts';
import { indexed, isBare, isRaw, joinedLayout, type Index, type Joined, type Op, type Program } from './program.ts';

export function mergeGrows(program: Program): Program {
  let index = indexed(program);
  for (const outer of program.ops) {
    const merged = mergeInto(index, outer.name);
    if (merged) index = indexed(merged);
  }
  return index.program;
}

/** Merges the convolution that feeds the one of this name into it; undefined if there is no such pair. */
function mergeInto(index: Index, name: string): Program | undefined {
  const { program, op: ops, readers } = index;
  const outer = ops.get(name);
  if (!outer || !isLinearPointwise(outer)) return undefined;
  const pair = program.joined.get(outer.inputs[0]);
  const inners = pair?.parts.map(({ writer }) => ops.get(writer)!).filter((op) => op.attrs.op !== 'channel-slice') ?? [];
  const [inner] = inners;
  if (!pair || inners.length !== 1 || !isLinearPointwise(inner)) return undefined;
  const source = program.joined.get(inner.inputs[0]);
  const isLinear = [outer, inner].every(({ inputs: [value] }) => readers.get(value) === 1 && isRaw(index, value));
  if (!source || !isLinear) return undefined;
  const outerStores = outer.stores;
  const innerStores = inner.stores?.filter(({ value }) => value !== outer.inputs[0]);
  // What is left of the inner one's stores goes where the outer one's go.
  const [goal] = outerStores ?? [];
  if (!goal || !innerStores || [...innerStores, ...outerStores!].some(({ value }) => value !== goal.value)) return undefined;

  const innerVectors = channelVectors(inner.output.c);
  const stores = joinRuns([...innerStores, ...outerStores!.map((store) => ({ ...store, first: store.first + innerVectors }))]);
  if (stores.length > 2) return undefined;

  // The new input: what the inner one read, and, first in memory, the slices that the outer one read beside it.
  const value = `${name}~input`;
  const slices = pair.parts.filter(({ writer }) => writer !== inner.name);
  const sourceChannels = source.shape.c;
  const sliceChannels = slices.flatMap(({ channels }) => channels);
  const position = new Map(sliceChannels.map((channel, i) => [channel, sourceChannels + i]));
  const isSlice = (writer: string) => ops.get(writer)!.attrs.op === 'channel-slice';
  const renumbered = slices.map(({ writer, channels }) => ({ writer, channels: channels.map((channel) => position.get(channel)!) }));
  const input: Joined = {
    shape: { ...source.shape, c: sourceChannels + sliceChannels.length },
    parts: [...renumbered, ...source.parts.filter(({ writer }) => isSlice(writer)), ...source.parts.filter(({ writer }) => !isSlice(writer))],
  };
  // An op stores one run of it.
  if (new Set(input.parts.map(({ writer }) => writer)).size < input.parts.length) return undefined;
  const innerChannels = pair.parts.find(({ writer }) => writer === inner.name)!.channels;
  const channels = inner.output.c + outer.output.c;
  const merged: FusedOp<Conv2dAttrs> = {
    ...outer,
    attrs: { ...outer.attrs, outChannels: channels },
    inputs: [value],
    inputShapes: [input.shape],
    output: { ...outer.output, c: channels },
    matrix: composedMatrix(inner, outer, { innerChannels, sliceChannels, sourceChannels }),
    zeroBlock: { outputs: innerVectors, inputs: slices.reduce((sum, part) => sum + channelVectors(part.channels.length), 0) },
    macs: inner.macs + outer.macs,
    stores,
  };
  const layouts = new Map(program.layouts);
  const range = (begin: number, count: number) => Array.from({ length: count }, (_, i) => begin + i);
  layouts.set(name, segmentedLayout([range(0, inner.output.c), range(inner.output.c, outer.output.c)]));
  const renamed = (parts: Joined['parts']) => parts.map((part) => (part.writer === inner.name ? { ...part, writer: name } : part));
  const joined = new Map<string, Joined>([...program.joined].map(([key, { shape, parts }]) => [key, { shape, parts: renamed(parts) }]));
  joined.delete(outer.inputs[0]);
  joined.delete(inner.inputs[0]);
  joined.set(value, input);
  const moved = new Set([outer.inputs[0], inner.inputs[0]]);
  const { lanes } = joinedLayout(input);
  const starts = new Map(input.parts.map(({ writer, channels: [first] }) => [writer, lanes[first] / LANES]));
  const rewired = program.ops.flatMap((op): Op[] => {
    if (op.name === inner.name) return [];
    if (op.name === name) return [merged];
    if (!op.stores?.some((store) => moved.has(store.value))) return [op];
    return [{ ...op, stores: op.stores.map((store) => (moved.has(store.value) ? { ...store, value, at: starts.get(op.name)! } : store)) }];
  });
  return { ...program, ops: rewired, joined, layouts };
}

function isLinearPointwise(op: Op): op is FusedOp<Conv2dAttrs> & Op {
  const { attrs } = op;
  return attrs.op === 'conv2d' && attrs.kernelSize === 1 && attrs.stride === 1 && attrs.padding === 0 && attrs.groups === 1 && isBare(op) && !op.matrix;
}

/** Runs that follow each other in result and value alike become one. */
export function joinRuns(stores: readonly Store[]): Store[] {
  const joined: Store[] = [];
  for (const store of stores) {
    const last = joined[joined.length - 1];
    const follows = last && store.first === last.first + last.vectors && store.at === last.at + last.vectors && store.finish === last.finish;
    if (follows) joined[joined.length - 1] = { ...last, vectors: last.vectors + store.vectors };
    else joined.push(store);
  }
  return joined;
}

/** `(inner x, outer (slices, inner x))` as one matrix on `(x, slices)`. */
function composedMatrix(
  inner: Op,
  outer: Op,
  { innerChannels, sliceChannels, sourceChannels }: { innerChannels: readonly number[]; sliceChannels: readonly number[]; sourceChannels: number },
): Matrix {
  const [first, second] = [ownMatrix(inner.source), ownMatrix(outer.source)];
  const innerCount = inner.output.c;
  const outerCount = outer.output.c;
  const outerInputs = outer.inputShapes[0].c;
  const columns = sourceChannels + sliceChannels.length;
  return {
    key: `${first.key} then ${second.key}`,
    params: [...first.params, ...second.params],
    evaluate(weights) {
      const [g0, g1] = [first.evaluate(weights), second.evaluate(weights)];
      const composed = new Float32Array((innerCount + outerCount) * columns);
      for (let o = 0; o < innerCount; o++) composed.set(g0.subarray(o * sourceChannels, (o + 1) * sourceChannels), o * columns);
      const row = new Float64Array(sourceChannels);
      for (let o = 0; o < outerCount; o++) {
        row.fill(0);
        addRows(row, g0, innerChannels.map((channel, k) => ({ at: k * sourceChannels, factor: g1[o * outerInputs + channel] })));
        const at = (innerCount + o) * columns;
        composed.set(row, at);
        sliceChannels.forEach((channel, i) => (composed[at + sourceChannels + i] = g1[o * outerInputs + channel]));
      }
      return composed;
    },
  };
}

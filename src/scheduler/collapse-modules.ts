/**
 * Pass: a linear 1x1 module in one dispatch. Without anything between them the grow behind the primitive is, like the
 * primitive itself, a linear map of the module's input `X`:
 *
 *   S = (slices of X, P X),    (B1, B0) = G S = M X
 *
 * so that `(B2, B1, B0) = (P, M) X`, multiplied out at load in float64, needs nothing in between: no dispatch, no memory.
 * Slices are still copied, the tail is still a scale; so it has at most half the MACs of the plain convolution, and no CompConv
 * 1x1 layer is slower than that. Often it has more than the module, sometimes fewer: `M` has `C_in` columns, `G` has `2c` at
 * depth 2. Done where the MACs that it adds take less time than what it saves.
 */
import { LANES, PADDING, channelVectors, channelsOfLanes, segmentedLayout } from '../tensor/channel-layout.ts';
import type { Conv2dAttrs } from '../ops/conv2d.ts';
import type { FusedOp } from '../kernels/fused-op.ts';
import { addRows, ownMatrix, type Matrix, type ScaledRow } from '../kernels/matrix.ts';
import { joinRuns } from './merge-grows.ts';
import { indexed, isBare, isRaw, joins, type Decision, type Index, type Joined, type Op, type Program } from './program.ts';
import { surroundings } from './settle-layouts.ts';

/** MACs that take about as long as a dispatch and its wait: 2.5 us of a GPU at 1 TMAC/s, 0.4 ms of a processor at 3.5 GMAC/s. */
const DISPATCH_MACS = { gpu: 2.5e6, software: 1.5e6 };

type Convolution = FusedOp<Conv2dAttrs> & Op;

export function collapseModules(program: Program, decision: Decision): Program {
  const budget = decision.limits.isSoftware ? DISPATCH_MACS.software : DISPATCH_MACS.gpu;
  let index = indexed(program);
  for (const { name } of program.ops) {
    const module = moduleOf(index, name);
    const collapsed = module && collapse(index.program, module);
    if (!collapsed) continue;
    const labels = [...index.writers.get(module.scratch)!.map((op) => op.name), name];
    if (joins(decision, extraMacs(module) <= budget, signatureOf(module), labels)) index = indexed(collapsed);
  }
  return index.program;
}

/** A convolution that reads slices and a convolution of one input as they are, and nothing else does. All of them go to one other value as well. */
interface Module {
  readonly primitive: Convolution;
  readonly grow: Convolution;
  /** What lies between them. */
  readonly scratch: string;
}

function moduleOf(index: Index, name: string): Module | undefined {
  const grow = index.op.get(name);
  if (!grow || !isLinear(grow) || grow.attrs.stride !== 1) return undefined;
  const [scratch] = grow.inputs;
  if (!index.program.joined.has(scratch) || index.readers.get(scratch) !== 1 || !isRaw(index, scratch)) return undefined;
  const writers = index.writers.get(scratch)!;
  const primitives = writers.filter(({ attrs }) => attrs.op !== 'channel-slice');
  const [primitive] = primitives;
  if (primitives.length !== 1 || !isLinear(primitive)) return undefined;
  const goal = grow.stores?.[0]?.value;
  const isOne = writers.every(
    (op) =>
      op.inputs[0] === primitive.inputs[0] &&
      (op === primitive || (op.attrs.op === 'channel-slice' && op.attrs.stride === primitive.attrs.stride)) &&
      op.stores!.some(({ value }) => value === goal) &&
      op.stores!.every(({ value }) => value === scratch || value === goal),
  );
  return isOne && grow.stores?.every(({ value }) => value === goal) ? { primitive, grow, scratch } : undefined;
}

/** A 1x1 convolution with nothing after it but what its stores do. */
function isLinear(op: Op): op is Convolution {
  const { attrs } = op;
  return attrs.op === 'conv2d' && attrs.kernelSize === 1 && attrs.padding === 0 && attrs.groups === 1 && isBare(op) && !!op.stores;
}

function signatureOf({ primitive, grow }: Module): string {
  const { n, h, w } = grow.output;
  const channels = [primitive.inputShapes[0].c, primitive.output.c, grow.inputShapes[0].c, grow.output.c];
  return `collapse ${n}x${h}x${w} ${channels.join(' ')} stride ${primitive.attrs.stride}`;
}

/** What one dispatch computes more than two. */
function extraMacs({ primitive, grow }: Module): number {
  const { n, h, w } = grow.output;
  return n * h * w * primitive.inputShapes[0].c * (primitive.output.c + grow.output.c) - primitive.macs - grow.macs;
}

/** The program with both in one; undefined where the result would go to too many places. */
function collapse(program: Program, module: Module): Program | undefined {
  const { primitive, grow, scratch } = module;
  const [first, second] = [primitive.output.c, grow.output.c];
  const around = surroundings(program);
  const offset = channelVectors(first);
  const stores = joinRuns([
    ...primitive.stores!.filter(({ value }) => value !== scratch),
    ...grow.stores!.map((store) => ({ ...store, first: store.first + offset })),
  ]);
  if (stores.length > 2) return undefined;
  const { zeroBlock: _, ...rest } = grow;
  const convolution: FusedOp<Conv2dAttrs> = {
    ...rest,
    attrs: { ...primitive.attrs, outChannels: first + second },
    inputs: primitive.inputs,
    inputShapes: primitive.inputShapes,
    output: { ...grow.output, c: first + second },
    matrix: composedMatrix(program, module),
    macs: primitive.macs + grow.macs,
    stores,
  };
  // The result lies as both results do, one after the other.
  const growChannels = channelsOfLanes(around.layoutOf(grow.name));
  const segments: number[][] = [Array.from({ length: first }, (_, c) => c)];
  for (let lane = 0; lane < growChannels.length; lane++) {
    if (growChannels[lane] === PADDING) continue;
    const follows = lane > 0 && growChannels[lane - 1] !== PADDING;
    if (!follows) segments.push([]);
    segments[segments.length - 1].push(first + growChannels[lane]);
  }
  const layouts = new Map(program.layouts).set(grow.name, segmentedLayout(segments));
  const renamed = ({ shape, parts }: Joined): Joined => ({
    shape,
    parts: parts.map((part) => (part.writer === primitive.name ? { ...part, writer: grow.name } : part)),
  });
  const joined = new Map([...program.joined].filter(([name]) => name !== scratch).map(([name, value]) => [name, renamed(value)] as const));
  const ops = program.ops.flatMap((op): Op[] => {
    if (op === primitive) return [];
    if (op === grow) return [convolution];
    return [op.stores ? { ...op, stores: op.stores.filter(({ value }) => value !== scratch) } : op];
  });
  return { ...program, ops, joined, layouts };
}

/** `(P, G S)` as one matrix on the input. */
function composedMatrix(program: Program, { primitive, grow, scratch }: Module): Matrix {
  const around = surroundings(program);
  const [first, second] = [primitive, grow].map((op) => op.matrix ?? ownMatrix(op.source));
  const inChannels = primitive.inputShapes[0].c;
  const scratchChannels = around.layoutOf(scratch).lanes.length;
  return {
    key: `${first.key} before ${second.key}`,
    params: [...first.params, ...second.params],
    evaluate(weights) {
      const [p, g] = [first.evaluate(weights), second.evaluate(weights)];
      const rows = sourcesOf(program, scratch);
      const composed = new Float32Array(p.length + grow.output.c * inChannels);
      composed.set(p);
      const sum = new Float64Array(inChannels);
      for (let o = 0; o < grow.output.c; o++) {
        sum.fill(0);
        const scaled: ScaledRow[] = [];
        for (const { op, channel, k } of rows) {
          const factor = g[o * scratchChannels + k];
          if (op.attrs.op === 'channel-slice') sum[op.attrs.begin + channel] += factor;
          else if (factor !== 0) scaled.push({ at: channel * inChannels, factor });
        }
        addRows(sum, p, scaled);
        composed.set(sum, p.length + o * inChannels);
      }
      return composed;
    },
  };
}

/** For each channel of a value in parts: which channel of whose result it is. */
function sourcesOf(program: Program, value: string): { op: Op; channel: number; k: number }[] {
  const around = surroundings(program);
  const channels = channelsOfLanes(around.layoutOf(value));
  return program.ops.flatMap((op) => {
    const stores = op.stores?.filter((store) => store.value === value) ?? [];
    if (stores.length === 0) return [];
    const own = channelsOfLanes(around.layoutOf(op.name));
    return stores
      .flatMap(({ at, vectors }) => Array.from({ length: vectors * LANES }, (_, lane) => ({ op, channel: own[lane], k: channels[at * LANES + lane] })))
      .filter(({ channel }) => channel !== PADDING);
  });
}

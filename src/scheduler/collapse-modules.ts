/**
 * Pass: a small linear 1x1 module as one plain convolution. Without anything between them its parts are one linear map of
 * its input; multiplied out at load it needs one dispatch, and the MACs of the convolution that CompConv replaced. Where
 * those are few, fewer than a dispatch costs, that is faster; so no CompConv 1x1 layer needs to be slower than the plain one.
 * Nothing here knows CompConv: 1x1 convolutions of one value that are joined become one, too.
 */
import { LANES, PADDING, channelsOfLanes } from '../tensor/channel-layout.ts';
import type { ChannelSliceAttrs } from '../ops/channel-slice.ts';
import type { Conv2dAttrs } from '../ops/conv2d.ts';
import type { FusedOp } from '../kernels/fused-op.ts';
import type { KernelLimits, Surroundings } from '../kernels/kernel.ts';
import { ownMatrix, type Matrix } from '../kernels/matrix.ts';
import { countReaders, isBare, type Op, type Program } from './program.ts';
import { surroundings } from './settle-layouts.ts';

/** MACs that take about as long as a dispatch: some 2.5 us of a small GPU at 0.4 TMAC/s, some 0.2 ms of a processor at 3 GMAC/s. */
const DISPATCH_MACS = { gpu: 1e6, software: 6e5 };

/** A module: what writes the parts of a value, from one input, directly or through one value in parts in between. */
interface LinearModule {
  readonly value: string;
  readonly input: string;
  readonly writers: readonly Op[];
  /** The value in between, at depth 2 and more. */
  readonly scratch?: string;
}

export function collapseModules(program: Program, limits: KernelLimits): Program {
  const budget = limits.hasQuads ? DISPATCH_MACS.software : DISPATCH_MACS.gpu;
  let collapsed = program;
  for (const value of program.joined.keys()) {
    const module = linearModule(collapsed, value);
    if (module && extraMacs(module) < budget * (dispatches(module) - 1)) collapsed = collapse(collapsed, module);
  }
  return collapsed;
}

/** The module behind a value, if it is linear and 1x1 and nobody else needs what is inside. */
function linearModule(program: Program, value: string): LinearModule | undefined {
  const readers = countReaders(program);
  const writers = program.ops.filter(({ stores }) => stores?.some((store) => store.value === value));
  const convolutions = writers.filter(isConvolution);
  const scratch = convolutions.map(({ inputs }) => inputs[0]).find((input) => program.joined.has(input) && writers.some((op) => writes(op, input)));
  const ends = writers.filter(({ inputs }) => inputs[0] !== scratch).map(({ inputs }) => inputs[0]);
  const [input] = ends;
  const isWhole = writers.every((op) => isLinear(op) && op.stores!.every((store) => store.value === value || store.value === scratch));
  const isOwn = scratch === undefined || (readers.get(scratch) === 1 && program.ops.every((op) => !writes(op, scratch) || writers.includes(op)));
  if (!isWhole || !isOwn || input === undefined || new Set(ends).size > 1) return undefined;
  const strides = new Set(writers.filter(({ inputs }) => inputs[0] === input).map(strideOf));
  return strides.size === 1 ? { value, input, writers, ...(scratch !== undefined && { scratch }) } : undefined;
}

function writes({ stores }: Op, value: string): boolean {
  return stores?.some((store) => store.value === value) ?? false;
}

function isConvolution(op: Op): op is FusedOp<Conv2dAttrs> & Op {
  return op.attrs.op === 'conv2d';
}

/** A slice, or a 1x1 convolution with nothing after it but what its stores do. */
function isLinear(op: Op): boolean {
  const { attrs } = op;
  if (attrs.op === 'channel-slice') return true;
  return attrs.op === 'conv2d' && attrs.kernelSize === 1 && attrs.padding === 0 && attrs.groups === 1 && isBare(op);
}

function strideOf({ attrs }: Op): number {
  return (attrs as Conv2dAttrs | ChannelSliceAttrs).stride;
}

/** One for each convolution: slices go along. */
function dispatches({ writers }: LinearModule): number {
  return writers.filter(isConvolution).length;
}

function extraMacs({ writers, input }: LinearModule): number {
  const first = writers.find(({ inputs }) => inputs[0] === input)!;
  const { n, h, w } = first.output;
  const outChannels = writers.reduce((sum, { stores }) => Math.max(sum, ...stores!.map(({ at, vectors }) => (at + vectors) * LANES)), 0);
  const plain = n * h * w * first.inputShapes[0].c * outChannels;
  return plain - writers.reduce((sum, { macs }) => sum + macs, 0);
}

function collapse(program: Program, module: LinearModule): Program {
  const { value, input, writers, scratch } = module;
  const { shape } = program.joined.get(value)!;
  const last = writers[writers.length - 1];
  const first = writers.find(({ inputs }) => inputs[0] === input)!;
  const finish = last.stores!.find((store) => store.value === value)!.finish ?? { affine: [], relu: false };
  const convolution: FusedOp<Conv2dAttrs> = {
    ...finish,
    name: value,
    attrs: { op: 'conv2d', outChannels: shape.c, kernelSize: 1, stride: strideOf(first), padding: 0, groups: 1, bias: false },
    inputs: [input],
    inputShapes: first.inputShapes,
    output: shape,
    source: value,
    macs: writers.reduce((sum, { macs }) => sum + macs, 0),
    matrix: composedMatrix(module, surroundings(program), first.inputShapes[0].c),
  };
  const joined = new Map([...program.joined].filter(([name]) => name !== value && name !== scratch));
  const ops = program.ops.flatMap((op): Op[] => (op === last ? [convolution] : writers.includes(op) ? [] : [op]));
  return { ...program, ops, joined };
}

/** The whole module as one matrix on its input. */
function composedMatrix({ value, input, writers, scratch }: LinearModule, around: Surroundings, inChannels: number): Matrix {
  const matrices = new Map(writers.filter(isConvolution).map((op) => [op, op.matrix ?? ownMatrix(op.source)]));
  const all = [...matrices.values()];
  return {
    key: `all of ${value}: ${all.map(({ key }) => key).join(', ')}`,
    params: all.flatMap(({ params }) => params),
    evaluate(weights) {
      const rowsOf = new Map<Op, Float64Array>();
      /** Rows of a value in parts, put together from what its writers compute. */
      const gathered = (name: string): Float64Array => {
        const channels = channelsOfLanes(around.layoutOf(name));
        const rows = new Float64Array(around.layoutOf(name).lanes.length * inChannels);
        for (const op of writers) {
          const own = channelsOfLanes(around.layoutOf(op.name));
          for (const { value: goal, at, first, vectors } of op.stores!) {
            if (goal !== name) continue;
            for (let lane = 0; lane < vectors * LANES; lane++) {
              const [from, to] = [own[first * LANES + lane], channels[at * LANES + lane]];
              if (to === PADDING) continue;
              rows.set(rowsOf.get(op)!.subarray(from * inChannels, (from + 1) * inChannels), to * inChannels);
            }
          }
        }
        return rows;
      };
      for (const op of writers) {
        if (op.inputs[0] !== input && op.inputs[0] === scratch) continue;
        rowsOf.set(op, isConvolution(op) ? Float64Array.from(matrices.get(op)!.evaluate(weights)) : selection(op as FusedOp<ChannelSliceAttrs>, inChannels));
      }
      for (const op of writers) {
        if (scratch === undefined || op.inputs[0] !== scratch || !isConvolution(op)) continue;
        rowsOf.set(op, product(matrices.get(op)!.evaluate(weights), gathered(scratch), op.output.c, inChannels));
      }
      return Float32Array.from(gathered(value));
    },
  };
}

/** A slice as a matrix. */
function selection({ attrs }: FusedOp<ChannelSliceAttrs>, inChannels: number): Float64Array {
  const rows = new Float64Array(attrs.channels * inChannels);
  for (let c = 0; c < attrs.channels; c++) rows[c * inChannels + attrs.begin + c] = 1;
  return rows;
}

/** `a [rows, k]` times `b [k, columns]`. */
function product(a: Float32Array, b: Float64Array, rows: number, columns: number): Float64Array {
  const k = b.length / columns;
  const result = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < k; i++) {
      const factor = a[row * k + i];
      for (let column = 0; column < columns; column++) result[row * columns + column] += factor * b[i * columns + column];
    }
  }
  return result;
}

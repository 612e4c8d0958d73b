/**
 * Concatenation of any number of tensors. The kernel takes four, as many as fit beside its epilogue into the eight
 * storage buffers that every adapter has; more are joined in steps.
 */
import code from '../../shaders/channel-concat.wgsl?raw';
import { LANES, channelVectors } from '../tensor/channel-layout.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import { affineEpilogue, residualOverride, residualRef } from './epilogue.ts';
import type { FusedOp, JoinAttrs } from './fused-op.ts';
import { linearWorkgroups, type KernelCall, type Kernel, type Lowered, type Surroundings } from './kernel.ts';

const MAX_INPUTS = 4;

export const channelConcatKernel: Kernel = {
  name: 'channel-concat',
  code,
  bindings: ['x0', 'x1', 'x2', 'x3', 'affine', 'residual', 'y'],
  written: 1,
  sizes: [
    'outVectors', 'pixels', 'invocations', 'end0', 'end1', 'end2', 'end3', 'vectors0', 'vectors1', 'vectors2', 'vectors3', 'affine',
    'relu',
  ],
};

export function lowerChannelConcat(op: FusedOp<JoinAttrs>, around: Surroundings): Lowered {
  if (op.inputs.length > MAX_INPUTS) return lowerInSteps(op, around);
  const affine = affineEpilogue(op, around);
  const outVectors = channelVectors(op.output.c);
  const pixels = op.output.n * op.output.h * op.output.w;
  const invocations = Math.ceil(pixels / 4) * outVectors;
  const slots = Array.from({ length: MAX_INPUTS }, (_, i) => i);
  const widths = widthsOf(op);
  let end = 0;
  const ends = slots.map((i) => [`end${i}`, (end += widths[i] ?? 0)]);
  const vectors = slots.map((i) => [`vectors${i}`, channelVectors(op.inputShapes[i]?.c ?? 0)]);
  const dispatch: KernelCall = {
    label: op.name,
    kernel: channelConcatKernel,
    overrides: {
      ...residualOverride(op),
      INPUTS: op.inputs.length,
      ALIGNED: isAligned(widths, op.inputShapes) ? 1 : 0,
    },
    sizes: {
      outVectors,
      pixels,
      invocations,
      ...Object.fromEntries([...ends, ...vectors]),
      affine: affine.flag,
      relu: op.relu ? 1 : 0,
    },
    // An absent input has width 0; its slot is bound to the first one and never read.
    buffers: [...slots.map((i) => ({ value: op.inputs[i] ?? op.inputs[0] })), affine.ref, residualRef(op), { value: op.name }],
    workgroups: linearWorkgroups(invocations, around.limits),
    macs: op.macs,
  };
  return { constants: affine.constants, dispatches: [dispatch] };
}

function widthsOf({ attrs, inputShapes }: FusedOp<JoinAttrs>): readonly number[] {
  return attrs.widths ?? inputShapes.map(({ c }) => c);
}

/** Whether every part begins at a whole vec4, and what follows the last one in its vec4 is padding. */
function isAligned(widths: readonly number[], shapes: readonly ImageShape[]): boolean {
  const last = widths.length - 1;
  return widths.every((width, i) => width % LANES === 0 || (i === last && width === shapes[i].c));
}

/** Joins the first four inputs into a value of its own and goes on with that. */
function lowerInSteps(op: FusedOp<JoinAttrs>, around: Surroundings): Lowered {
  const name = `${op.name}~${op.inputs.length}`;
  const widths = widthsOf(op);
  const shape: ImageShape = { ...op.output, c: widths.slice(0, MAX_INPUTS).reduce((sum, width) => sum + width) };
  const { residual: _, ...head } = op;
  const joined: FusedOp<JoinAttrs> = {
    ...head,
    name,
    attrs: { ...op.attrs, widths: widths.slice(0, MAX_INPUTS) },
    inputs: op.inputs.slice(0, MAX_INPUTS),
    inputShapes: op.inputShapes.slice(0, MAX_INPUTS),
    output: shape,
    affine: [],
    relu: false,
    macs: 0,
  };
  const rest: FusedOp<JoinAttrs> = {
    ...op,
    attrs: { ...op.attrs, widths: [shape.c, ...widths.slice(MAX_INPUTS)] },
    inputs: [name, ...op.inputs.slice(MAX_INPUTS)],
    inputShapes: [shape, ...op.inputShapes.slice(MAX_INPUTS)],
  };
  const [a, b] = [lowerChannelConcat(joined, around), lowerChannelConcat(rest, around)];
  return {
    constants: [...a.constants, ...b.constants],
    dispatches: [...a.dispatches, ...b.dispatches],
    temporaries: new Map([[name, shape], ...(b.temporaries ?? [])]),
  };
}

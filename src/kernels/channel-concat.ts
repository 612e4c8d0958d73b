/**
 * Concatenation of any number of tensors. The kernel takes four, as many as fit beside its epilogue into the eight
 * storage buffers that every adapter has; more are joined in steps.
 */
import code from '../../shaders/channel-concat.wgsl?raw';
import { LANES, channelVectors } from '../tensor/channel-layout.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import type { ChannelConcatAttrs } from '../ops/channel-concat.ts';
import { affineEpilogue, residualOverride, residualRef } from './epilogue.ts';
import { linearWorkgroups, type Dispatch, type FusedOp, type Kernel, type KernelLimits, type Lowered } from './kernel.ts';

const MAX_INPUTS = 4;

export const channelConcatKernel: Kernel = {
  name: 'channel-concat',
  code,
  bindings: ['x0', 'x1', 'x2', 'x3', 'affine', 'residual', 'y'],
  sizes: [
    'outVectors', 'pixels', 'invocations', 'end0', 'end1', 'end2', 'end3', 'vectors0', 'vectors1', 'vectors2', 'vectors3', 'affine',
    'relu',
  ],
};

export function lowerChannelConcat(op: FusedOp<ChannelConcatAttrs>, limits: KernelLimits): Lowered {
  if (op.inputs.length > MAX_INPUTS) return lowerInSteps(op, limits);
  const affine = affineEpilogue(op);
  const outVectors = channelVectors(op.output.c);
  const pixels = op.output.n * op.output.h * op.output.w;
  const invocations = Math.ceil(pixels / 4) * outVectors;
  const slots = Array.from({ length: MAX_INPUTS }, (_, i) => i);
  const width = (i: number) => op.inputShapes[i]?.c ?? 0;
  let end = 0;
  const ends = slots.map((i) => [`end${i}`, (end += width(i))]);
  const vectors = slots.map((i) => [`vectors${i}`, channelVectors(width(i))]);
  const dispatch: Dispatch = {
    label: op.name,
    kernel: channelConcatKernel,
    overrides: {
      ...residualOverride(op),
      INPUTS: op.inputs.length,
      ALIGNED: op.inputShapes.slice(0, -1).every(({ c }) => c % LANES === 0) ? 1 : 0,
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
    workgroups: linearWorkgroups(invocations, limits),
    macs: 0,
  };
  return { constants: affine.constants, dispatches: [dispatch] };
}

/** Joins the first four inputs into a value of its own and goes on with that. */
function lowerInSteps(op: FusedOp<ChannelConcatAttrs>, limits: KernelLimits): Lowered {
  const name = `${op.name}~${op.inputs.length}`;
  const first = op.inputShapes.slice(0, MAX_INPUTS);
  const shape: ImageShape = { ...op.output, c: first.reduce((sum, { c }) => sum + c, 0) };
  const head = { ...op, name, inputs: op.inputs.slice(0, MAX_INPUTS), inputShapes: first, output: shape, affine: [], relu: false };
  const { residual: _, ...joined } = head;
  const rest = {
    ...op,
    inputs: [name, ...op.inputs.slice(MAX_INPUTS)],
    inputShapes: [shape, ...op.inputShapes.slice(MAX_INPUTS)],
  };
  const [a, b] = [lowerChannelConcat(joined, limits), lowerChannelConcat(rest, limits)];
  return {
    constants: [...a.constants, ...b.constants],
    dispatches: [...a.dispatches, ...b.dispatches],
    temporaries: new Map([[name, shape], ...(b.temporaries ?? [])]),
  };
}

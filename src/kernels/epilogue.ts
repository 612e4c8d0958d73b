/** What every kernel with an epilogue needs of it: bindings that stand in for absent ones, flags, the affine constant. */
import { channelVectors } from '../tensor/channel-layout.ts';
import { affineConstant, type Constant } from './constants.ts';
import type { FusedOp } from './fused-op.ts';
import type { BufferRef } from './kernel.ts';

/** The residual's binding. An absent one is bound to the input again, which WebGPU allows for reading, and not read. */
export function residualRef(op: FusedOp): BufferRef {
  return { value: op.residual ?? op.inputs[0] };
}

/** Whether the kernel adds a residual: an override, not a size, since it saves the loads. */
export function residualOverride(op: FusedOp): { RESIDUAL: number } {
  return { RESIDUAL: op.residual === undefined ? 0 : 1 };
}

/** Binding, flag and constant of an epilogue that scales: kernels that have no weights to fold BatchNorm into. */
export function affineEpilogue(op: FusedOp): { ref: BufferRef; flag: number; constants: Constant[] } {
  if (op.affine.length === 0) return { ref: { value: op.inputs[0] }, flag: 0, constants: [] };
  const constant = affineConstant(op);
  return { ref: { constant: constant.key }, flag: 1, constants: [constant] };
}

/** vec4s of a whole activation. */
export function vectorCount({ n, h, w, c }: FusedOp['output']): number {
  return n * h * w * channelVectors(c);
}

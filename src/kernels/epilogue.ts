/** What kernels with an epilogue of their own need of it: bindings that stand in for absent ones, flags, the affine constant. */
import { LANES } from '../tensor/channel-layout.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import { affineConstant, type Constant } from './constants.ts';
import type { FusedOp } from './fused-op.ts';
import type { BufferRef, Surroundings } from './kernel.ts';

/** The residual's binding. It lies as the op's own value does. */
export function residualRef({ residual }: FusedOp): BufferRef {
  return residual === undefined ? { unused: true } : { value: residual };
}

/** Whether the kernel adds a residual: an override, not a size, since it saves the loads. */
export function residualOverride(op: FusedOp): { RESIDUAL: number } {
  return { RESIDUAL: op.residual === undefined ? 0 : 1 };
}

/** Binding, flag and constant of an epilogue that scales: kernels that have no weights to fold BatchNorm into. */
export function affineEpilogue(op: FusedOp, around: Surroundings): { ref: BufferRef; flag: number; constants: Constant[] } {
  if (op.affine.length === 0) return { ref: { unused: true }, flag: 0, constants: [] };
  const constant = affineConstant(op, around.layoutOf(op.name));
  return { ref: { constant: constant.key }, flag: 1, constants: [constant] };
}

/** vec4s of a whole activation. */
export function vectorCount({ n, h, w }: ImageShape, { pitch }: { readonly pitch: number }): number {
  return (n * h * w * pitch) / LANES;
}

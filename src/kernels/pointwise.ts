/** An epilogue on its own: BatchNorm, bias, residual add or ReLU that no other kernel could take along. */
import code from '../../shaders/pointwise.wgsl?raw';
import { channelVectors } from '../tensor/channel-layout.ts';
import { affineEpilogue, residualOverride, residualRef, vectorCount } from './epilogue.ts';
import type { FusedOp, PointwiseAttrs } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type KernelLimits, type Lowered } from './kernel.ts';

export const pointwiseKernel: Kernel = {
  name: 'pointwise',
  code,
  bindings: ['x', 'affine', 'residual', 'y'],
  sizes: ['vectors', 'outputs', 'affine', 'relu'],
};

export function lowerPointwise(op: FusedOp<PointwiseAttrs>, limits: KernelLimits): Lowered {
  const affine = affineEpilogue(op);
  const outputs = vectorCount(op.output);
  return {
    constants: affine.constants,
    dispatches: [
      {
        label: op.name,
        kernel: pointwiseKernel,
        overrides: residualOverride(op),
        sizes: { vectors: channelVectors(op.output.c), outputs, affine: affine.flag, relu: op.relu ? 1 : 0 },
        buffers: [{ value: op.inputs[0] }, affine.ref, residualRef(op), { value: op.name }],
        workgroups: linearWorkgroups(outputs, limits),
        macs: op.macs,
      },
    ],
  };
}

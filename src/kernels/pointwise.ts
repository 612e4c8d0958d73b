/** An epilogue on its own: BatchNorm, bias, residual add or ReLU that no other kernel could take along. */
import code from '../../shaders/pointwise.wgsl?raw';
import { channelVectors } from '../tensor/channel-layout.ts';
import { affineEpilogue, epilogueFlags, residualRef, vectorCount } from './epilogue.ts';
import { linearWorkgroups, type FusedOp, type Kernel, type KernelLimits, type Lowered, type PointwiseAttrs } from './kernel.ts';

export const pointwiseKernel: Kernel = {
  name: 'pointwise',
  code,
  bindings: ['x', 'affine', 'residual', 'y'],
  sizes: ['vectors', 'outputs', 'affine', 'residual', 'relu'],
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
        overrides: {},
        sizes: { vectors: channelVectors(op.output.c), outputs, affine: affine.flag, ...epilogueFlags(op) },
        buffers: [{ value: op.inputs[0] }, affine.ref, residualRef(op), { value: op.name }],
        workgroups: linearWorkgroups(outputs, limits),
        macs: op.macs,
      },
    ],
  };
}

/** An epilogue on its own: BatchNorm, bias, residual add or ReLU that no other kernel could take along. */
import code from '../../shaders/pointwise.wgsl?raw';
import { LANES } from '../tensor/channel-layout.ts';
import { affineEpilogue, residualOverride, residualRef, vectorCount } from './epilogue.ts';
import type { FusedOp, PointwiseAttrs } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type Lowered, type Surroundings } from './kernel.ts';

export const pointwiseKernel: Kernel = {
  name: 'pointwise',
  code,
  bindings: ['x', 'affine', 'residual', 'y'],
  written: 1,
  sizes: ['vectors', 'outputs', 'affine', 'relu'],
};

export function lowerPointwise(op: FusedOp<PointwiseAttrs>, around: Surroundings): Lowered {
  const affine = affineEpilogue(op, around);
  const layout = around.layoutOf(op.name);
  const outputs = vectorCount(op.output, layout);
  return {
    constants: affine.constants,
    dispatches: [
      {
        label: op.name,
        kernel: pointwiseKernel,
        overrides: residualOverride(op),
        sizes: { vectors: layout.pitch / LANES, outputs, affine: affine.flag, relu: op.relu ? 1 : 0 },
        buffers: [{ value: op.inputs[0] }, affine.ref, residualRef(op), { value: op.name }],
        workgroups: linearWorkgroups(outputs, around.limits),
        macs: op.macs,
      },
    ],
  };
}

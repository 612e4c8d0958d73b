/** Max pooling. */
import code from '../../shaders/max-pool.wgsl?raw';
import { channelVectors } from '../tensor/channel-layout.ts';
import type { MaxPoolAttrs } from '../ops/max-pool.ts';
import { vectorCount } from './epilogue.ts';
import type { FusedOp } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type KernelLimits, type Lowered } from './kernel.ts';

export const maxPoolKernel: Kernel = {
  name: 'max-pool',
  code,
  bindings: ['x', 'y'],
  sizes: ['inHeight', 'inWidth', 'outHeight', 'outWidth', 'vectors', 'outputs', 'kernelSize', 'stride', 'padding'],
};

export function lowerMaxPool(op: FusedOp<MaxPoolAttrs>, limits: KernelLimits): Lowered {
  const [x] = op.inputShapes;
  const { kernelSize, stride, padding } = op.attrs;
  const { h: outHeight, w: outWidth, c } = op.output;
  const outputs = vectorCount(op.output);
  return {
    constants: [],
    dispatches: [
      {
        label: op.name,
        kernel: maxPoolKernel,
        overrides: {},
        sizes: { inHeight: x.h, inWidth: x.w, outHeight, outWidth, vectors: channelVectors(c), outputs, kernelSize, stride, padding },
        buffers: [{ value: op.inputs[0] }, { value: op.name }],
        workgroups: linearWorkgroups(outputs, limits),
        macs: 0,
      },
    ],
  };
}

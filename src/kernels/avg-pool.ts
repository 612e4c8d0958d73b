/** Adaptive average pooling. */
import code from '../../shaders/avg-pool.wgsl?raw';
import { channelVectors } from '../tensor/channel-layout.ts';
import type { AvgPoolAttrs } from '../ops/avg-pool.ts';
import { vectorCount } from './epilogue.ts';
import type { FusedOp } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type KernelLimits, type Lowered } from './kernel.ts';

export const avgPoolKernel: Kernel = {
  name: 'avg-pool',
  code,
  bindings: ['x', 'y'],
  sizes: ['inHeight', 'inWidth', 'outHeight', 'outWidth', 'vectors', 'outputs'],
};

export function lowerAvgPool(op: FusedOp<AvgPoolAttrs>, limits: KernelLimits): Lowered {
  const [x] = op.inputShapes;
  const { h: outHeight, w: outWidth, c } = op.output;
  const outputs = vectorCount(op.output);
  return {
    constants: [],
    dispatches: [
      {
        label: op.name,
        kernel: avgPoolKernel,
        overrides: {},
        sizes: { inHeight: x.h, inWidth: x.w, outHeight, outWidth, vectors: channelVectors(c), outputs },
        buffers: [{ value: op.inputs[0] }, { value: op.name }],
        workgroups: linearWorkgroups(outputs, limits),
        macs: 0,
      },
    ],
  };
}

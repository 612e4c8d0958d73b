/** Adaptive average pooling. */
import code from '../../shaders/avg-pool.wgsl?raw';
import { LANES } from '../tensor/channel-layout.ts';
import type { AvgPoolAttrs } from '../ops/avg-pool.ts';
import { vectorCount } from './epilogue.ts';
import type { FusedOp } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type Lowered, type Surroundings } from './kernel.ts';

export const avgPoolKernel: Kernel = {
  name: 'avg-pool',
  code,
  bindings: ['x', 'y'],
  written: 1,
  sizes: ['inHeight', 'inWidth', 'outHeight', 'outWidth', 'vectors', 'outputs'],
};

export function lowerAvgPool(op: FusedOp<AvgPoolAttrs>, around: Surroundings): Lowered {
  const [x] = op.inputShapes;
  const { h: outHeight, w: outWidth } = op.output;
  const layout = around.layoutOf(op.name);
  const outputs = vectorCount(op.output, layout);
  return {
    constants: [],
    dispatches: [
      {
        label: op.name,
        kernel: avgPoolKernel,
        overrides: {},
        sizes: { inHeight: x.h, inWidth: x.w, outHeight, outWidth, vectors: layout.pitch / LANES, outputs },
        buffers: [{ value: op.inputs[0] }, { value: op.name }],
        workgroups: linearWorkgroups(outputs, around.limits),
        macs: 0,
      },
    ],
  };
}

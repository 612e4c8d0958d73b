/** Max pooling. */
import code from '../../shaders/max-pool.wgsl?raw';
import { LANES } from '../tensor/channel-layout.ts';
import type { MaxPoolAttrs } from '../ops/max-pool.ts';
import { vectorCount } from './epilogue.ts';
import type { FusedOp } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type Lowered, type Surroundings } from './kernel.ts';

export const maxPoolKernel: Kernel = {
  name: 'max-pool',
  code,
  bindings: ['x', 'y'],
  written: 1,
  sizes: ['inHeight', 'inWidth', 'outHeight', 'outWidth', 'vectors', 'outputs', 'kernelSize', 'stride', 'padding'],
};

export function lowerMaxPool(op: FusedOp<MaxPoolAttrs>, around: Surroundings): Lowered {
  const [x] = op.inputShapes;
  const { kernelSize, stride, padding } = op.attrs;
  const { h: outHeight, w: outWidth } = op.output;
  const layout = around.layoutOf(op.name);
  const outputs = vectorCount(op.output, layout);
  return {
    constants: [],
    dispatches: [
      {
        label: op.name,
        kernel: maxPoolKernel,
        overrides: {},
        sizes: { inHeight: x.h, inWidth: x.w, outHeight, outWidth, vectors: layout.pitch / LANES, outputs, kernelSize, stride, padding },
        buffers: [{ value: op.inputs[0] }, { value: op.name }],
        workgroups: linearWorkgroups(outputs, around.limits),
        macs: 0,
      },
    ],
  };
}

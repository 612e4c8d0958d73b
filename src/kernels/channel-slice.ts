/** A run of channels of every stride-th pixel; with stride 1 and all channels, the same value in another layout. */
import code from '../../shaders/channel-slice.wgsl?raw';
import type { ChannelSliceAttrs } from '../ops/channel-slice.ts';
import type { FusedOp } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type Lowered, type Surroundings } from './kernel.ts';
import { vectorsOf } from './store-runs.ts';
import { planStores } from './stores.ts';
import { storingKernels } from './storing-kernels.ts';

const { parts } = storingKernels('channel-slice', code, [
  'inHeight', 'inWidth', 'inVectors', 'outHeight', 'outWidth', 'outVectors', 'pixels', 'stride',
]);

/** Copies need no weights. */
export const channelSliceKernel: Kernel = {
  ...parts,
  name: 'channel-slice',
  bindings: parts.bindings.map((binding) => (binding === 'weights' ? 'unused' : binding)),
};

export function lowerChannelSlice(op: FusedOp<ChannelSliceAttrs>, around: Surroundings): Lowered {
  const [x] = op.inputShapes;
  const { n, h, w } = op.output;
  // A kernel without sums, which copies this one slice.
  const stores = planStores({ ...op, stores: [], copies: [op] }, 0, around);
  const { total, sizes } = stores.invocations(0);
  return {
    constants: [stores.params],
    dispatches: [
      {
        label: op.name,
        kernel: channelSliceKernel,
        overrides: stores.overrides,
        sizes: {
          inHeight: x.h,
          inWidth: x.w,
          inVectors: vectorsOf(op.inputs[0], around),
          outHeight: h,
          outWidth: w,
          outVectors: vectorsOf(op.name, around),
          pixels: n * h * w,
          stride: op.attrs.stride,
          ...stores.sizes,
          ...sizes,
        },
        buffers: [{ value: op.inputs[0] }, { unused: true }, ...stores.buffers],
        workgroups: linearWorkgroups(total, around.limits),
        macs: 0,
      },
    ],
  };
}

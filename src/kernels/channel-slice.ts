/** A run of channels of every stride-th pixel. */
import code from '../../shaders/channel-slice.wgsl?raw';
import { channelVectors } from '../tensor/channel-layout.ts';
import type { ChannelSliceAttrs } from '../ops/channel-slice.ts';
import { vectorCount } from './epilogue.ts';
import type { FusedOp } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type KernelLimits, type Lowered } from './kernel.ts';

export const channelSliceKernel: Kernel = {
  name: 'channel-slice',
  code,
  bindings: ['x', 'y'],
  sizes: ['inHeight', 'inWidth', 'inVectors', 'outHeight', 'outWidth', 'outVectors', 'outputs', 'stride', 'begin', 'channels', 'order', 'orderChannels'],
};

export function lowerChannelSlice(op: FusedOp<ChannelSliceAttrs>, limits: KernelLimits): Lowered {
  const [x] = op.inputShapes;
  const { stride, begin, channels } = op.attrs;
  const outputs = vectorCount(op.output);
  return {
    constants: [],
    dispatches: [
      {
        label: op.name,
        kernel: channelSliceKernel,
        overrides: {},
        sizes: {
          inHeight: x.h,
          inWidth: x.w,
          inVectors: channelVectors(x.c),
          outHeight: op.output.h,
          outWidth: op.output.w,
          outVectors: channelVectors(channels),
          outputs,
          stride,
          begin,
          channels,
          order: op.inputOrder,
          orderChannels: x.c / op.inputOrder,
        },
        buffers: [{ value: op.inputs[0] }, { value: op.name }],
        workgroups: linearWorkgroups(outputs, limits),
        macs: 0,
      },
    ],
  };
}

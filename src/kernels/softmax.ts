/** Softmax over channels. */
import code from '../../shaders/softmax.wgsl?raw';
import { channelPitch } from '../tensor/channel-layout.ts';
import type { SoftmaxAttrs } from '../ops/softmax.ts';
import type { FusedOp } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type Lowered, type Surroundings } from './kernel.ts';

export const softmaxKernel: Kernel = {
  name: 'softmax',
  code,
  bindings: ['x', 'y'],
  written: 1,
  sizes: ['pixels', 'channels', 'pitch'],
};

export function lowerSoftmax(op: FusedOp<SoftmaxAttrs>, { limits }: Surroundings): Lowered {
  const { n, h, w, c } = op.output;
  const pixels = n * h * w;
  return {
    constants: [],
    dispatches: [
      {
        label: op.name,
        kernel: softmaxKernel,
        overrides: {},
        sizes: { pixels, channels: c, pitch: channelPitch(c) },
        buffers: [{ value: op.inputs[0] }, { value: op.name }],
        workgroups: linearWorkgroups(pixels, limits),
        macs: 0,
      },
    ],
  };
}

/** ShuffleNet's channel shuffle, with epilogue. */
import code from '../../shaders/channel-shuffle.wgsl?raw';
import { channelVectors } from '../tensor/channel-layout.ts';
import type { ChannelShuffleAttrs } from '../ops/channel-shuffle.ts';
import { affineEpilogue, residualOverride, residualRef } from './epilogue.ts';
import type { FusedOp } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type Lowered, type Surroundings } from './kernel.ts';

export const channelShuffleKernel: Kernel = {
  name: 'channel-shuffle',
  code,
  bindings: ['x', 'affine', 'residual', 'y'],
  written: 1,
  sizes: ['channels', 'groups', 'groupChannels', 'vectors', 'pixels', 'invocations', 'affine', 'relu'],
};

export function lowerChannelShuffle(op: FusedOp<ChannelShuffleAttrs>, around: Surroundings): Lowered {
  const { groups } = op.attrs;
  const affine = affineEpilogue(op, around);
  const channels = op.output.c;
  const vectors = channelVectors(channels);
  const pixels = op.output.n * op.output.h * op.output.w;
  const invocations = Math.ceil(pixels / 4) * vectors;
  return {
    constants: affine.constants,
    dispatches: [
      {
        label: op.name,
        kernel: channelShuffleKernel,
        overrides: residualOverride(op),
        sizes: {
          channels,
          groups,
          groupChannels: channels / groups,
          vectors,
          pixels,
          invocations,
          affine: affine.flag,
          relu: op.relu ? 1 : 0,
        },
        buffers: [{ value: op.inputs[0] }, affine.ref, residualRef(op), { value: op.name }],
        workgroups: linearWorkgroups(invocations, around.limits),
        macs: 0,
      },
    ],
  };
}

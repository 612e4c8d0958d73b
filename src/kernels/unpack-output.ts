/** A value of a plan, whatever its layout, to a dense tensor for the caller. No op of a graph: it goes behind a plan. */
import code from '../../shaders/unpack-output.wgsl?raw';
import type { ChannelLayout } from '../tensor/channel-layout.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import { linearWorkgroups, type Kernel, type KernelCall, type KernelLimits } from './kernel.ts';

export const unpackOutputKernel: Kernel = {
  name: 'unpack-output',
  code,
  bindings: ['x', 'lanes', 'y'],
  written: 1,
  sizes: ['channels', 'pitch', 'pixels', 'outputs'],
};

/** The binding `lanes` is the layout's `lanes`. */
export function unpackOutput({ n, h, w, c }: ImageShape, { pitch }: ChannelLayout, limits: KernelLimits): KernelCall {
  const outputs = n * c * h * w;
  return {
    label: 'unpack output',
    kernel: unpackOutputKernel,
    overrides: {},
    sizes: { channels: c, pitch, pixels: h * w, outputs },
    buffers: [{ value: 'output' }, { constant: 'lanes' }, { value: 'tensor' }],
    workgroups: linearWorkgroups(outputs, limits),
    macs: 0,
  };
}

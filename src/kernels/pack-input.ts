/** A dense tensor of the caller's, on the GPU, to a network's input. No op of a graph: it goes in front of a plan. */
import code from '../../shaders/pack-input.wgsl?raw';
import { channelVectors } from '../tensor/channel-layout.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import { linearWorkgroups, type Kernel, type KernelCall, type KernelLimits } from './kernel.ts';

export const packInputKernel: Kernel = {
  name: 'pack-input',
  code,
  bindings: ['x', 'y'],
  written: 1,
  sizes: ['first', 'channels', 'channelStride', 'pixels', 'pixelStride', 'vectors', 'outputs'],
};

/** Order of a dense tensor's elements in memory. */
export type DenseLayout = 'nchw' | 'nhwc';

/** @param first element of the buffer at which the tensor begins */
export function packInput({ n, h, w, c }: ImageShape, layout: DenseLayout, first: number, limits: KernelLimits): KernelCall {
  const [pixels, vectors] = [h * w, channelVectors(c)];
  const [channelStride, pixelStride] = layout === 'nchw' ? [pixels, 1] : [1, c];
  const outputs = n * pixels * vectors;
  return {
    label: 'pack input',
    kernel: packInputKernel,
    overrides: {},
    sizes: { first, channels: c, channelStride, pixels, pixelStride, vectors, outputs },
    buffers: [{ value: 'tensor' }, { value: 'input' }],
    workgroups: linearWorkgroups(outputs, limits),
    macs: 0,
  };
}

/**
 * Tensors from and to the caller's buffers: a stage in front of a network packs what it takes, a stage behind it unpacks what it
 * gives, so that neither leaves the GPU. Each is one kernel call, bound for one job.
 */
import { CompConvError } from '../errors.ts';
import { FIRST_UNIFORM_BINDING, uniformStructs, type KernelCall } from '../kernels/kernel.ts';
import { packInput } from '../kernels/pack-input.ts';
import { unpackOutput } from '../kernels/unpack-output.ts';
import { valueBytes, type PlannedValue } from '../scheduler/memory.ts';
import { roundUp } from '../tensor/channel-layout.ts';
import type { Dtype } from '../tensor/dtype.ts';
import { elementCount, formatShape } from '../tensor/tensor.ts';
import { withErrorScopes } from './device.ts';
import type { GpuTensor, GpuTensorInput } from './gpu-tensor.ts';
import { denseShape } from './layout.ts';
import { MACS_PER_BYTE } from './pace.ts';
import type { Stage } from './paced-queue.ts';
import type { PipelineCache } from './pipelines.ts';

/** A value of a plan where it lies: at the beginning of a buffer. */
export interface Activation {
  readonly value: PlannedValue;
  readonly buffer: GPUBuffer;
  readonly dtype: Dtype;
}

/** A stage of one step. */
export interface Transfer extends Stage {
  /** Frees what only the stage needs; call after the submit, which still completes. Again is harmless. */
  release(): void;
}

/** From a tensor that `checkGpuTensor` has checked to a network's input of the same shape. @throws limit-exceeded, gpu-validation, out-of-memory */
export async function createInputTransfer(
  device: GPUDevice,
  pipelines: PipelineCache,
  { shape, buffer, offset = 0, layout = 'nchw' }: GpuTensorInput,
  input: Activation,
): Promise<Transfer> {
  const { limits } = device;
  // A binding begins where the adapter allows it; the kernel skips the rest.
  const begin = offset - (offset % limits.minStorageBufferOffsetAlignment);
  const size = offset - begin + elementCount(shape) * 4;
  checkBindable(device, shape, size);
  const call = packInput(input.value.shape, layout, (offset - begin) / 4, limits);
  return createTransfer(device, pipelines, call, [{ buffer, offset: begin, size }, binding(input)]);
}

/**
 * From a value, the network's output or another one, to a buffer of its own, dense. The value must still be there when the stage is
 * run. The tensor is the caller's, whatever becomes of the stage. @throws limit-exceeded, gpu-validation, out-of-memory
 */
export async function createOutputTransfer(
  device: GPUDevice,
  pipelines: PipelineCache,
  output: Activation,
): Promise<Transfer & { readonly tensor: GpuTensor }> {
  const { shape: valueShape, layout } = output.value;
  const shape = denseShape(valueShape);
  const size = elementCount(shape) * 4;
  checkBindable(device, shape, size);
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC;
  const buffer = await withErrorScopes(device, 'output', () => device.createBuffer({ label: 'output', size, usage }));
  const lanes = uploaded(device, 'lanes', layout.lanes, GPUBufferUsage.STORAGE);
  const call = unpackOutput(valueShape, layout, device.limits);
  try {
    const transfer = await createTransfer(device, pipelines, call, [binding(output), { buffer: lanes }, { buffer }], [lanes]);
    return { ...transfer, tensor: { shape, buffer, destroy: () => buffer.destroy() } };
  } catch (error) {
    buffer.destroy();
    throw error;
  }
}

/** @param owned buffers to destroy with the stage, or when there will be none */
async function createTransfer(
  device: GPUDevice,
  pipelines: PipelineCache,
  call: KernelCall,
  bindings: readonly GPUBufferBinding[],
  owned: readonly GPUBuffer[] = [],
): Promise<Transfer> {
  const { kernel, label } = call;
  const [fields] = uniformStructs(kernel);
  const sizes = uploaded(device, 'sizes', Uint32Array.from(fields, (field) => call.sizes[field]), GPUBufferUsage.UNIFORM);
  const release = () => {
    for (const buffer of [sizes, ...owned]) buffer.destroy();
  };
  try {
    const [pipeline] = await pipelines.compile([call]);
    const entries = [...bindings.map((resource, binding) => ({ binding, resource })), { binding: FIRST_UNIFORM_BINDING, resource: { buffer: sizes } }];
    const bindGroup = await withErrorScopes(device, label, () => device.createBindGroup({ label, layout: pipelines.layout(kernel), entries }));
    return {
      label,
      work: [MACS_PER_BYTE * bindings.reduce((sum, { buffer, size = buffer.size }) => sum + size, 0)],
      record(pass) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, bindGroup);
        pass.dispatchWorkgroups(...call.workgroups);
      },
      release,
    };
  } catch (error) {
    release();
    throw error;
  }
}

function binding({ value, buffer, dtype }: Activation): GPUBufferBinding {
  return { buffer, size: valueBytes(value, dtype) };
}

function checkBindable({ limits }: GPUDevice, shape: readonly number[], byteLength: number): void {
  const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  if (byteLength <= most) return;
  throw new CompConvError(
    'limit-exceeded',
    `a tensor ${formatShape(shape)} on the GPU needs ${byteLength} bytes in one binding, the device allows ${most}; use a smaller batch`,
  );
}

/** A small buffer with these words in it. */
function uploaded(device: GPUDevice, label: string, words: Uint32Array, usage: GPUBufferUsageFlags): GPUBuffer {
  const buffer = device.createBuffer({ label, size: roundUp(words.byteLength, 16), usage, mappedAtCreation: true });
  new Uint32Array(buffer.getMappedRange()).set(words);
  buffer.unmap();
  return buffer;
}

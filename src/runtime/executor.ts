/**
 * A plan bound to a device: its activation buffers, its sizes in one uniform buffer, every bind group built once. All an
 * inference then does is replay a list.
 */
import { roundUp } from '../tensor/channel-layout.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { FIRST_UNIFORM_BINDING, SAMPLER_BINDING, uniformStructs, type BufferRef, type Dispatch } from '../kernels/kernel.ts';
import type { Plan } from '../scheduler/plan.ts';
import { valueBytes } from '../scheduler/memory.ts';
import type { ConstantStore } from './constant-store.ts';
import type { Activation } from './gpu-transfer.ts';
import { fromStored, packActivation, toStored, unpackActivation } from './layout.ts';
import { dispatchWork } from './pace.ts';
import type { Stage } from './paced-queue.ts';
import type { PipelineCache } from './pipelines.ts';

interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly dispatch: Dispatch;
}

/** Bytes bound where a kernel has a binding that a dispatch does not use; the largest alignment that an adapter may want. */
const UNUSED_BYTES = 256;

export class Executor implements Stage {
  readonly plan: Plan;
  readonly label: string;
  /** Of each dispatch; see `dispatchWork`. */
  readonly work: readonly number[];
  readonly inputShape: ImageShape;
  readonly outputShape: ImageShape;
  readonly #device: GPUDevice;
  readonly #buffers: readonly GPUBuffer[];
  readonly #sizes: GPUBuffer;
  /** Where each value is downloaded that somebody wants: the output, then what the plan keeps. */
  readonly #readbacks: ReadonlyMap<string, GPUBuffer>;
  readonly #unused: readonly GPUBuffer[];
  readonly #steps: readonly Step[];

  constructor(device: GPUDevice, plan: Plan, pipelines: readonly GPUComputePipeline[], cache: PipelineCache, constants: ConstantStore) {
    this.plan = plan;
    this.label = plan.name;
    this.work = plan.dispatches.map((dispatch) => dispatchWork(plan, dispatch));
    this.#device = device;
    this.inputShape = plan.values.get(plan.input)!.shape;
    this.outputShape = plan.values.get(plan.output)!.shape;
    this.#buffers = plan.memory.bufferBytes.map((size, index) =>
      device.createBuffer({
        label: `activations ${index}`,
        size,
        usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
      }),
    );
    this.#readbacks = new Map(
      [...new Set([plan.output, ...plan.kept.values()])].map((name) => {
        const size = valueBytes(plan.values.get(name)!, plan.dtype);
        return [name, device.createBuffer({ label: `readback of ${name}`, size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST })];
      }),
    );

    // Every struct of every dispatch in a slot of its own.
    const alignment = device.limits.minUniformBufferOffsetAlignment;
    const structs = plan.dispatches.map(({ kernel }) => uniformStructs(kernel));
    const slot = roundUp(Math.max(...structs.flat().map((fields) => fields.length * 4)), alignment);
    this.#sizes = device.createBuffer({
      label: 'sizes',
      size: slot * structs.flat().length,
      usage: GPUBufferUsage.UNIFORM,
      mappedAtCreation: true,
    });
    const sizes = new Uint32Array(this.#sizes.getMappedRange());
    let next = 0;
    const uniforms = plan.dispatches.map((dispatch, index) =>
      structs[index].map((fields, i): GPUBindGroupEntry => {
        const offset = slot * next++;
        fields.forEach((field, word) => (sizes[offset / 4 + word] = dispatch.sizes[field]));
        return { binding: FIRST_UNIFORM_BINDING + i, resource: { buffer: this.#sizes, offset, size: roundUp(fields.length * 4, 16) } };
      }),
    );
    this.#sizes.unmap();

    // One for reading and one for writing: a dispatch may not have the same buffer for both.
    this.#unused = ['read', 'written'].map((access) =>
      device.createBuffer({
        label: `unused bindings, ${access}`,
        size: UNUSED_BYTES * device.limits.maxStorageBuffersPerShaderStage,
        usage: GPUBufferUsage.STORAGE,
      }),
    );
    const resource = (ref: BufferRef, binding: number, isWritten: boolean): GPUBindingResource => {
      if ('value' in ref) return { buffer: this.bufferOf(ref.value) };
      if ('constant' in ref) return constants.resource(ref.constant);
      return { buffer: this.#unused[isWritten ? 1 : 0], offset: binding * UNUSED_BYTES, size: UNUSED_BYTES };
    };
    this.#steps = plan.dispatches.map((dispatch, index) => {
      const { kernel, buffers, label } = dispatch;
      const isWritten = (binding: number) => binding >= kernel.bindings.length - kernel.written;
      const bindGroup = device.createBindGroup({
        label,
        layout: cache.layout(kernel),
        entries: [
          ...buffers.map((ref, binding) => ({ binding, resource: resource(ref, binding, isWritten(binding)) })),
          ...uniforms[index],
          ...(kernel.textures?.length ? [{ binding: SAMPLER_BINDING, resource: cache.sampler }] : []),
        ],
      });
      return { pipeline: pipelines[index], bindGroup, dispatch };
    });
  }

  /** Where a value of the plan is while it lives. */
  bufferOf(value: string): GPUBuffer {
    return this.#buffers[this.plan.memory.bufferOf.get(value)!];
  }

  /** A value of the plan and where it is. */
  activation(value: string): Activation {
    return { value: this.plan.values.get(value)!, buffer: this.bufferOf(value), dtype: this.plan.dtype };
  }

  /** Where the input goes, NHWC with padded channels. */
  get input(): GPUBuffer {
    return this.bufferOf(this.plan.input);
  }

  /** Bytes of activations on the GPU. */
  get byteLength(): number {
    return this.#buffers.reduce((sum, buffer) => sum + buffer.size, 0);
  }

  /** Uploads the input, `[N, C, H, W]`. */
  writeInput(data: Float32Array): void {
    this.#device.queue.writeBuffer(this.input, 0, toStored(packActivation(data, this.inputShape), this.plan.dtype));
  }

  /** Records the dispatches from `from` to the one before `to`; past the last one they begin again. By default each once. */
  record(pass: GPUComputePassEncoder, from = 0, to = this.#steps.length): void {
    let current: GPUComputePipeline | undefined;
    for (let i = from; i < to; i++) {
      const { pipeline, bindGroup, dispatch } = this.#steps[i % this.#steps.length];
      if (pipeline !== current) pass.setPipeline((current = pipeline));
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(...dispatch.workgroups);
    }
  }

  /** Records the copy of the output, and of what the plan keeps, to where `read` reads it. */
  encodeReadback(encoder: GPUCommandEncoder): void {
    for (const [name, readback] of this.#readbacks) encoder.copyBufferToBuffer(this.bufferOf(name), 0, readback, 0, readback.size);
  }

  /** Waits for the submitted work and copies its output. */
  async readOutput(): Promise<Tensor> {
    return this.#read(this.plan.output);
  }

  /** Waits for the submitted work and copies what the plan keeps, by tap. */
  async readKept(): Promise<Record<string, Tensor>> {
    const taps: Record<string, Tensor> = {};
    for (const [tap, value] of this.plan.kept) taps[tap] = await this.#read(value);
    return taps;
  }

  async #read(name: string): Promise<Tensor> {
    const readback = this.#readbacks.get(name)!;
    const { shape, layout } = this.plan.values.get(name)!;
    await readback.mapAsync(GPUMapMode.READ);
    try {
      return unpackActivation(fromStored(readback.getMappedRange(), this.plan.dtype), shape, layout);
    } finally {
      readback.unmap(); // Or no later run could read.
    }
  }

  destroy(): void {
    for (const buffer of [...this.#buffers, this.#sizes, ...this.#unused, ...this.#readbacks.values()]) buffer.destroy();
  }
}

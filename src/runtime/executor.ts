/**
 * A plan bound to a device: its activation buffers, its sizes in one uniform buffer, every bind group built once. All an
 * inference then does is replay a list.
 */
import { roundUp } from '../tensor/channel-layout.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import type { Dispatch } from '../kernels/kernel.ts';
import type { Plan } from '../scheduler/plan.ts';
import { valueBytes } from '../scheduler/memory.ts';
import type { ConstantStore } from './constant-store.ts';
import type { PipelineCache } from './pipelines.ts';

interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly dispatch: Dispatch;
}

export class Executor {
  readonly plan: Plan;
  readonly inputShape: ImageShape;
  readonly outputShape: ImageShape;
  readonly #buffers: readonly GPUBuffer[];
  readonly #sizes: GPUBuffer;
  readonly #readback: GPUBuffer;
  readonly #steps: readonly Step[];

  constructor(device: GPUDevice, plan: Plan, pipelines: readonly GPUComputePipeline[], cache: PipelineCache, constants: ConstantStore) {
    this.plan = plan;
    this.inputShape = plan.shapes.get(plan.input)!;
    this.outputShape = plan.shapes.get(plan.output)!;
    this.#buffers = plan.memory.bufferBytes.map((size, index) =>
      device.createBuffer({
        label: `activations ${index}`,
        size,
        usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
      }),
    );
    this.#readback = device.createBuffer({
      label: 'readback',
      size: valueBytes(this.outputShape),
      usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
    });

    const stride = device.limits.minUniformBufferOffsetAlignment;
    const slot = roundUp(Math.max(...plan.dispatches.map(({ kernel }) => kernel.sizes.length * 4)), stride);
    this.#sizes = device.createBuffer({
      label: 'sizes',
      size: slot * plan.dispatches.length,
      usage: GPUBufferUsage.UNIFORM,
      mappedAtCreation: true,
    });
    const sizes = new Uint32Array(this.#sizes.getMappedRange());
    plan.dispatches.forEach((dispatch, index) => {
      dispatch.kernel.sizes.forEach((field, i) => (sizes[(index * slot) / 4 + i] = dispatch.sizes[field]));
    });
    this.#sizes.unmap();

    this.#steps = plan.dispatches.map((dispatch, index) => {
      const { kernel } = dispatch;
      const storage = dispatch.buffers.map((ref) => ('value' in ref ? this.#bufferOf(ref.value) : constants.buffer(ref.constant)));
      const bindGroup = device.createBindGroup({
        label: dispatch.label,
        layout: cache.layout(kernel),
        entries: [
          ...storage.map((buffer, binding) => ({ binding, resource: { buffer } })),
          {
            binding: storage.length,
            resource: { buffer: this.#sizes, offset: index * slot, size: roundUp(kernel.sizes.length * 4, 16) },
          },
        ],
      });
      return { pipeline: pipelines[index], bindGroup, dispatch };
    });
  }

  #bufferOf(value: string): GPUBuffer {
    return this.#buffers[this.plan.memory.bufferOf.get(value)!];
  }

  /** Where the input goes, NHWC with padded channels. */
  get input(): GPUBuffer {
    return this.#bufferOf(this.plan.input);
  }

  /** Bytes of activations on the GPU. */
  get byteLength(): number {
    return this.#buffers.reduce((sum, buffer) => sum + buffer.size, 0);
  }

  /** Records the whole inference into one compute pass. */
  encode(encoder: GPUCommandEncoder, timestampWrites?: GPUComputePassTimestampWrites): void {
    const pass = encoder.beginComputePass({ label: this.plan.name, ...(timestampWrites ? { timestampWrites } : {}) });
    let current: GPUComputePipeline | undefined;
    for (const { pipeline, bindGroup, dispatch } of this.#steps) {
      if (pipeline !== current) pass.setPipeline((current = pipeline));
      pass.setBindGroup(0, bindGroup);
      pass.dispatchWorkgroups(...dispatch.workgroups);
    }
    pass.end();
  }

  /** Records the copy of the output to where `readOutput` reads it. */
  encodeReadback(encoder: GPUCommandEncoder): void {
    encoder.copyBufferToBuffer(this.#bufferOf(this.plan.output), 0, this.#readback, 0, this.#readback.size);
  }

  /** Waits for the submitted work and copies its output, NHWC with padded channels. */
  async readOutput(): Promise<Float32Array> {
    await this.#readback.mapAsync(GPUMapMode.READ);
    const data = new Float32Array(this.#readback.getMappedRange()).slice();
    this.#readback.unmap();
    return data;
  }

  destroy(): void {
    for (const buffer of [...this.#buffers, this.#sizes, this.#readback]) buffer.destroy();
  }
}

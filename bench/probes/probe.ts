/** A WGSL file of this folder with its buffers: what the probes share. Everything made here is gone after `destroy`. */
import type { EngineDevice } from '../../src/runtime/device.ts';

/** One binding, by its number in the file. */
export interface ProbeBuffer {
  readonly byteLength: number;
  readonly isUniform?: boolean;
}

export class Probe {
  readonly buffers: readonly GPUBuffer[];
  readonly #pipeline: GPUComputePipeline;
  readonly #bindGroup: GPUBindGroup | undefined;

  private constructor({ device }: EngineDevice, pipeline: GPUComputePipeline, buffers: readonly ProbeBuffer[]) {
    this.#pipeline = pipeline;
    this.buffers = buffers.map(({ byteLength: size, isUniform }) => {
      const usage = isUniform ? GPUBufferUsage.UNIFORM : GPUBufferUsage.STORAGE;
      const copies = GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC;
      return device.createBuffer({ label: 'probe', size, usage: usage | copies });
    });
    const entries = this.buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
    if (entries.length > 0) {
      this.#bindGroup = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    }
  }

  /** Compiles the file. @param constants its overrides */
  static async create(
    engine: EngineDevice,
    code: string,
    buffers: readonly ProbeBuffer[],
    constants: Readonly<Record<string, number>> = {},
  ): Promise<Probe> {
    const { device } = engine;
    const module = device.createShaderModule({ code });
    const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module, constants } });
    return new Probe(engine, pipeline, buffers);
  }

  /** Records `times` dispatches of `workgroups`. */
  record(pass: GPUComputePassEncoder, workgroups: number, times = 1): void {
    pass.setPipeline(this.#pipeline);
    if (this.#bindGroup) pass.setBindGroup(0, this.#bindGroup);
    for (let i = 0; i < times; i++) pass.dispatchWorkgroups(workgroups);
  }

  destroy(): void {
    for (const buffer of this.buffers) buffer.destroy();
  }
}

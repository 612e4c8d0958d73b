/**
 * Compiled pipelines of one device: each distinct (kernel, overrides) once, all in parallel, never on the main thread's
 * time (`createComputePipelineAsync`).
 */
import { CompConvError, throwIfAborted } from '../errors.ts';
import type { Dtype } from '../tensor/dtype.ts';
import { FIRST_UNIFORM_BINDING, SAMPLER_BINDING, moduleCode, uniformStructs, type Kernel, type KernelCall } from '../kernels/kernel.ts';
import { pipelineKey } from '../scheduler/plan.ts';

/** Called after each compiled pipeline. */
export type CompileProgress = (done: number, total: number) => void;

export class PipelineCache {
  readonly #device: GPUDevice;
  readonly #dtype: Dtype;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #layouts = new Map<Kernel, GPUBindGroupLayout>();
  readonly #modules = new Map<Kernel, GPUShaderModule>();
  #sampler: GPUSampler | undefined;

  constructor(device: GPUDevice, dtype: Dtype = 'f32') {
    this.#device = device;
    this.#dtype = dtype;
  }

  /** Pipelines for all dispatches, in order. @throws gpu-validation, aborted */
  async compile(dispatches: readonly KernelCall[], onProgress?: CompileProgress, signal?: AbortSignal): Promise<GPUComputePipeline[]> {
    const keys = dispatches.map(pipelineKey);
    const wanted = new Map(dispatches.map((dispatch, index) => [keys[index], dispatch]));
    let done = 0;
    onProgress?.(0, wanted.size);
    const compiled = new Map(
      await Promise.all(
        [...wanted].map(async ([key, dispatch]) => {
          const pipeline = await this.#pipeline(key, dispatch);
          throwIfAborted(signal);
          done++;
          onProgress?.(done, wanted.size);
          return [key, pipeline] as const;
        }),
      ),
    );
    return keys.map((key) => compiled.get(key)!);
  }

  /** Nearest texel, for kernels that read weights from textures. */
  get sampler(): GPUSampler {
    return (this.#sampler ??= this.#device.createSampler({ label: 'nearest' }));
  }

  /** Storage buffers in the kernel's order, the last ones writable, and its uniforms. */
  layout(kernel: Kernel): GPUBindGroupLayout {
    let layout = this.#layouts.get(kernel);
    if (!layout) {
      const firstWritten = kernel.bindings.length - kernel.written;
      const visibility = GPUShaderStage.COMPUTE;
      const storage = kernel.bindings.map((name, binding): GPUBindGroupLayoutEntry => {
        if (kernel.textures?.includes(name)) return { binding, visibility, texture: { sampleType: 'unfilterable-float' } };
        return { binding, visibility, buffer: { type: binding < firstWritten ? 'read-only-storage' : 'storage' } };
      });
      const uniforms = uniformStructs(kernel).map((_, i): GPUBindGroupLayoutEntry => ({
        binding: FIRST_UNIFORM_BINDING + i,
        visibility,
        buffer: { type: 'uniform' },
      }));
      const sampler: GPUBindGroupLayoutEntry = { binding: SAMPLER_BINDING, visibility, sampler: { type: 'non-filtering' } };
      layout = this.#device.createBindGroupLayout({
        label: kernel.name,
        entries: [...storage, ...uniforms, ...(kernel.textures?.length ? [sampler] : [])],
      });
      this.#layouts.set(kernel, layout);
    }
    return layout;
  }

  #pipeline(key: string, { kernel, overrides }: KernelCall): Promise<GPUComputePipeline> {
    let pipeline = this.#pipelines.get(key);
    if (!pipeline) {
      pipeline = this.#device
        .createComputePipelineAsync({
          label: key,
          layout: this.#device.createPipelineLayout({ bindGroupLayouts: [this.layout(kernel)] }),
          compute: { module: this.#module(kernel), constants: overrides },
        })
        .catch(async (cause: Error) => {
          const { messages } = await this.#module(kernel).getCompilationInfo();
          const details = messages.map(({ lineNum, message }) => `line ${lineNum}: ${message}`).join('; ') || cause.message;
          throw new CompConvError('gpu-validation', `the kernel ${key} does not compile on this adapter: ${details}`, { cause });
        });
      this.#pipelines.set(key, pipeline);
    }
    return pipeline;
  }

  #module(kernel: Kernel): GPUShaderModule {
    let module = this.#modules.get(kernel);
    if (!module) {
      module = this.#device.createShaderModule({ label: kernel.name, code: moduleCode(kernel, this.#dtype) });
      this.#modules.set(kernel, module);
    }
    return module;
  }
}

/**
 * The pipelines of `preprocess.wgsl`, each compiled when it is first wanted. The file is the same for every kind of source; what
 * differs, the binding and how a pixel is read from it, is written in front of it here and nowhere else.
 */
import code from '../../shaders/preprocess.wgsl?raw';
import { CompConvError } from '../errors.ts';
import { moduleCode } from '../kernels/kernel.ts';
import type { Preprocess } from '../models/preprocess.ts';
import type { Dtype } from '../tensor/dtype.ts';

/**
 * What an image is read from: a texture of 8-bit levels, of levels that may be out of range, of an `-srgb` format, whose loads give
 * light instead of levels; or an external texture, a video's.
 */
export type SourceKind = 'bytes' | 'floats' | 'linear' | 'video';

const PIXEL: Readonly<Record<SourceKind, string>> = {
  bytes: 'textureLoad(source, at, 0).rgb',
  floats: 'saturate(textureLoad(source, at, 0).rgb)',
  linear: 'levelOf(textureLoad(source, at, 0).rgb)',
  video: 'saturate(textureLoad(source, at).rgb)',
};

function sourceCode(kind: SourceKind): string {
  const type = kind === 'video' ? 'texture_external' : 'texture_2d<f32>';
  return `@group(0) @binding(0) var source: ${type};\nfn pixel(at: vec2u) -> vec3f { return ${PIXEL[kind]}; }\n${code}`;
}

/** The two passes of a resize. */
export interface ResizePipelines {
  readonly layout: GPUBindGroupLayout;
  readonly rows: GPUComputePipeline;
  readonly columns: GPUComputePipeline;
}

type Color = Preprocess['color'];

export class PreprocessKernels {
  /** How the target's elements are stored. */
  readonly dtype: Dtype;
  readonly #device: GPUDevice;
  readonly #pipelines = new Map<SourceKind, Promise<Readonly<Record<Color, ResizePipelines>>>>();

  constructor(device: GPUDevice, dtype: Dtype) {
    this.#device = device;
    this.dtype = dtype;
  }

  /** For sources of a kind, in colour and in gray. @throws gpu-validation */
  async pipelines(kind: SourceKind): Promise<Readonly<Record<Color, ResizePipelines>>> {
    let pipelines = this.#pipelines.get(kind);
    if (!pipelines) this.#pipelines.set(kind, (pipelines = this.#compile(kind)));
    return pipelines;
  }

  async #compile(kind: SourceKind): Promise<Record<Color, ResizePipelines>> {
    const device = this.#device;
    const label = `preprocess ${kind}`;
    const visibility = GPUShaderStage.COMPUTE;
    // Whatever is refused here, such as external textures where there are none, becomes one error.
    device.pushErrorScope('validation');
    const layout = device.createBindGroupLayout({
      label,
      entries: [
        // Nothing is filtered, so that every float format will do.
        { binding: 0, visibility, ...(kind === 'video' ? { externalTexture: {} } : { texture: { sampleType: 'unfilterable-float' } }) },
        { binding: 1, visibility, buffer: { type: 'storage' } },
        { binding: 2, visibility, buffer: { type: 'storage' } },
        { binding: 3, visibility, buffer: { type: 'uniform' } },
      ],
    });
    const module = device.createShaderModule({ label, code: moduleCode({ code: sourceCode(kind) }, this.dtype) });
    const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
    const refused = device.popErrorScope();
    const pipeline = (entryPoint: string, constants: Record<string, number> = {}) =>
      device.createComputePipelineAsync({ label: `${label} ${entryPoint}`, layout: pipelineLayout, compute: { module, entryPoint, constants } });
    try {
      const [rgb, gray, columns, error] = await Promise.all([
        pipeline('resizeRows', { GRAY: 0 }),
        pipeline('resizeRows', { GRAY: 1 }),
        pipeline('resizeColumns'),
        refused,
      ]);
      if (error) throw error;
      return { rgb: { layout, rows: rgb, columns }, gray: { layout, rows: gray, columns } };
    } catch (cause) {
      refused.catch(() => {});
      throw new CompConvError('gpu-validation', `the kernel ${label} does not compile on this adapter: ${(cause as GPUError | Error).message}`, { cause });
    }
  }
}

/** Images bound to the preprocessing kernels and to a network's input: a stage in front of the network. */
import { CompConvError } from '../errors.ts';
import { linearWorkgroups } from '../kernels/kernel.ts';
import type { Preprocess } from '../models/preprocess.ts';
import { roundUp } from '../tensor/channel-layout.ts';
import { bytesPerElement, type Dtype } from '../tensor/dtype.ts';
import { formatImageShape, type ImageShape } from '../tensor/image-shape.ts';
import type { ReadableImage } from './image-texture.ts';
import { rowRange, shorterSide, SIZES_BYTES, targetToSource, writeSizes, type Mapping } from './preprocess.ts';
import type { PreprocessKernels, ResizePipelines } from './preprocess-kernels.ts';

/** Images, bound to where they go. */
export interface PreparedImages {
  readonly label: string;
  /** Of each image: about how many MACs would take a network as long. */
  readonly work: readonly number[];
  /**
   * Records the work of the images from `from` to the one before `to`, by default of all. May be called again, for another submit;
   * the submit must follow in the same task, for video. @throws invalid-argument for a video whose frame is gone
   */
  record(pass: GPUComputePassEncoder, from?: number, to?: number): void;
  /** Frees everything; call after the submit, which still completes. Again is harmless. */
  release(): void;
}

/** What a pixel of a large photo takes, in multiply-adds: it is uploaded, and loaded twice for its row. Seen on SwiftShader. */
const MACS_PER_PIXEL = 128;

type Workgroups = readonly [x: number, y: number, z: number];

interface Step {
  readonly pipelines: ResizePipelines;
  /** Made anew for a video. */
  readonly bindGroup: () => GPUBindGroup;
  readonly rows: Workgroups;
  readonly columns: Workgroups;
  readonly work: number;
}

export class Prepared implements PreparedImages {
  readonly label = 'preprocess';
  readonly #device: GPUDevice;
  readonly #kernels: PreprocessKernels;
  readonly #sources: readonly ReadableImage[];
  readonly #onRelease: () => void;
  readonly #buffers: GPUBuffer[] = [];
  #steps: readonly Step[] = [];

  constructor(device: GPUDevice, kernels: PreprocessKernels, sources: readonly ReadableImage[], onRelease: () => void) {
    this.#device = device;
    this.#kernels = kernels;
    this.#sources = sources;
    this.#onRelease = onRelease;
  }

  /** @throws limit-exceeded, out-of-memory, gpu-validation */
  async bind(preprocess: Preprocess, shape: ImageShape, target: GPUBuffer, flip: boolean): Promise<void> {
    const { limits } = this.#device;
    const size = { width: shape.w, height: shape.h };
    const pipelines = await Promise.all(this.#sources.map(async ({ kind }) => (await this.#kernels.pipelines(kind))[preprocess.color]));
    const images = this.#sources.map(({ size: source }) => {
      const mapping: Mapping = { source, target: size, shorter: shorterSide(preprocess, size), flip };
      const toSource = targetToSource(mapping);
      return { mapping, toSource, range: rowRange(mapping, toSource) };
    });

    // One for all images: dispatches run one after another, and each reads only what its own image wrote.
    const rowsBytes = Math.max(...images.map(({ range }) => range.rows * shape.w * 4));
    const mostBytes = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
    if (rowsBytes > mostBytes) {
      throw new CompConvError(
        'limit-exceeded',
        `image: resizing to ${formatImageShape(shape)} needs ${rowsBytes} bytes in one buffer, the device allows ` +
          `${mostBytes}; resize the image before`,
      );
    }
    const stride = roundUp(SIZES_BYTES, limits.minUniformBufferOffsetAlignment);
    const contents = new ArrayBuffer(stride * images.length);
    images.forEach((image, index) => writeSizes(contents, index * stride, { ...image, preprocess, image: index }));

    this.#device.pushErrorScope('out-of-memory');
    this.#device.pushErrorScope('validation');
    const rows = this.#createBuffer('image rows', rowsBytes, GPUBufferUsage.STORAGE);
    const sizes = this.#createBuffer(
      'image sizes',
      contents.byteLength,
      GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    );
    this.#device.queue.writeBuffer(sizes, 0, contents);

    const bindGroup = (index: number) =>
      this.#device.createBindGroup({
        label: `image ${index}`,
        layout: pipelines[index].layout,
        entries: [
          { binding: 0, resource: this.#sources[index].resource() },
          { binding: 1, resource: { buffer: rows } },
          { binding: 2, resource: { buffer: target, size: activationBytes(shape, this.#kernels.dtype) } },
          { binding: 3, resource: { buffer: sizes, offset: index * stride, size: SIZES_BYTES } },
        ],
      });
    const bindGroups = this.#sources.map(({ kind }, index) => {
      if (kind === 'video') return () => bindGroup(index);
      const lasting = bindGroup(index);
      return () => lasting;
    });
    this.#steps = images.map(({ mapping, range }, index) => ({
      pipelines: pipelines[index],
      bindGroup: bindGroups[index],
      rows: linearWorkgroups(range.rows * shape.w, limits),
      columns: linearWorkgroups(shape.h * shape.w, limits),
      work: MACS_PER_PIXEL * mapping.source.width * range.rows,
    }));
    const refused = this.#device.popErrorScope();
    const [invalid, outOfMemory] = await Promise.all([refused, this.#device.popErrorScope()]);
    if (outOfMemory) {
      throw new CompConvError(
        'out-of-memory',
        `image: the GPU has no memory for ${rowsBytes} bytes; resize the image before`,
      );
    }
    if (invalid) {
      throw new CompConvError('gpu-validation', `image: the GPU refused it: ${invalid.message}; is a GPUTexture of the session's own device?`);
    }
  }

  get work(): readonly number[] {
    return this.#steps.map(({ work }) => work);
  }

  record(pass: GPUComputePassEncoder, from = 0, to = this.#steps.length): void {
    for (const { pipelines, bindGroup, rows, columns } of this.#steps.slice(from, to)) {
      pass.setBindGroup(0, bindGroup());
      pass.setPipeline(pipelines.rows);
      pass.dispatchWorkgroups(...rows);
      pass.setPipeline(pipelines.columns);
      pass.dispatchWorkgroups(...columns);
    }
  }

  release(): void {
    for (const source of this.#sources) source.release();
    for (const buffer of this.#buffers) buffer.destroy();
    this.#onRelease();
  }

  #createBuffer(label: string, size: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const buffer = this.#device.createBuffer({ label, size, usage });
    this.#buffers.push(buffer);
    return buffer;
  }
}

/** One vec4 a pixel: an image has at most 4 channels. */
export function activationBytes({ n, h, w }: ImageShape, dtype: Dtype): number {
  return n * h * w * 4 * bytesPerElement(dtype);
}

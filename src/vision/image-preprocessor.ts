/**
 * Images to a network's input on the GPU, by `preprocess.wgsl`: uploads them, and records two dispatches for each, in a
 * pass in front of the network's own.
 */
import code from '../../shaders/preprocess.wgsl?raw';
import { CompConvError } from '../errors.ts';
import { linearWorkgroups, moduleCode } from '../kernels/kernel.ts';
import type { Preprocess } from '../models/preprocess.ts';
import { roundUp } from '../tensor/channel-layout.ts';
import { bytesPerElement, type Dtype } from '../tensor/dtype.ts';
import { formatImageShape, type ImageShape } from '../tensor/image-shape.ts';
import { uploadImage, type ImageSource } from './image-source.ts';
import {
  checkPreprocess,
  preprocessChannels,
  rowRange,
  shorterSide,
  SIZES_BYTES,
  targetToSource,
  writeSizes,
  type Mapping,
} from './preprocess.ts';

export interface PrepareOptions {
  /** Mirrors the images left to right. Default false. */
  readonly flip?: boolean;
}

/** Uploaded images, bound to where they go. */
export interface PreparedImages {
  readonly label: string;
  /** Of each image: about how many MACs would take a network as long. */
  readonly work: readonly number[];
  /** Records the work of the images from `from` to the one before `to`, by default of all. May be called again, for another submit. */
  record(pass: GPUComputePassEncoder, from?: number, to?: number): void;
  /** Frees everything; call after the submit, which still completes. Again is harmless. */
  release(): void;
}

interface Pipelines {
  /** How the target's elements are stored. */
  readonly dtype: Dtype;
  readonly layout: GPUBindGroupLayout;
  readonly rows: Readonly<Record<Preprocess['color'], GPUComputePipeline>>;
  readonly columns: GPUComputePipeline;
}

/** What a pixel of a large photo takes, in multiply-adds: it is uploaded, and loaded twice for its row. Seen on SwiftShader. */
const MACS_PER_PIXEL = 128;

type Workgroups = readonly [x: number, y: number, z: number];

interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly bindGroup: GPUBindGroup;
  readonly rows: Workgroups;
  readonly columns: Workgroups;
  readonly work: number;
}

export class ImagePreprocessor {
  readonly #device: GPUDevice;
  readonly #pipelines: Pipelines;
  readonly #prepared = new Set<PreparedImages>();
  #destroyed = false;

  private constructor(device: GPUDevice, pipelines: Pipelines) {
    this.#device = device;
    this.#pipelines = pipelines;
  }

  /** Compiles the kernels, for targets whose elements are stored as `dtype`. @throws gpu-validation */
  static async create(device: GPUDevice, dtype: Dtype = 'f32'): Promise<ImagePreprocessor> {
    return new ImagePreprocessor(device, await compile(device, dtype));
  }

  /**
   * Uploads images and binds them to `target`, a STORAGE buffer that starts with an activation of `shape`: NHWC,
   * channels padded to 4. Image i goes to slot i; padding lanes become 0.
   *
   * The result is what torchvision's `Resize(size)`, `CenterCrop(crop)`, `ToTensor`, `Normalize` give on a Pillow image.
   * For a shape other than `crop x crop`, the crop is the shape, and `size` changes in proportion; see `shorterSide`.
   * @throws invalid-argument for images that cannot be used (see `uploadImage`), another number of them than `shape.n`,
   * or channels that do not fit `preprocess`; limit-exceeded, out-of-memory, disposed
   */
  async prepare(
    images: readonly ImageSource[],
    preprocess: Preprocess,
    shape: ImageShape,
    target: GPUBuffer,
    { flip = false }: PrepareOptions = {},
  ): Promise<PreparedImages> {
    this.#throwIfDestroyed();
    checkPreprocess(preprocess);
    checkTarget(images.length, preprocess, shape, target, this.#pipelines.dtype);

    const textures = await uploadAll(this.#device, images);
    const prepared = new Prepared(this.#device, this.#pipelines, textures, () => this.#prepared.delete(prepared));
    this.#prepared.add(prepared);
    try {
      this.#throwIfDestroyed();
      await prepared.bind(preprocess, shape, target, flip);
      this.#throwIfDestroyed();
      return prepared;
    } catch (error) {
      prepared.release();
      throw error;
    }
  }

  /** Releases what is still prepared; `prepare` then rejects with `disposed`. Again is harmless. */
  destroy(): void {
    this.#destroyed = true;
    for (const prepared of [...this.#prepared]) prepared.release();
  }

  #throwIfDestroyed(): void {
    if (this.#destroyed) throw new CompConvError('disposed', 'the image preprocessor was destroyed');
  }
}

class Prepared implements PreparedImages {
  readonly label = 'preprocess';
  readonly #device: GPUDevice;
  readonly #pipelines: Pipelines;
  readonly #textures: readonly GPUTexture[];
  readonly #onRelease: () => void;
  readonly #buffers: GPUBuffer[] = [];
  #steps: readonly Step[] = [];

  constructor(device: GPUDevice, pipelines: Pipelines, textures: readonly GPUTexture[], onRelease: () => void) {
    this.#device = device;
    this.#pipelines = pipelines;
    this.#textures = textures;
    this.#onRelease = onRelease;
  }

  async bind(preprocess: Preprocess, shape: ImageShape, target: GPUBuffer, flip: boolean): Promise<void> {
    const { limits } = this.#device;
    const size = { width: shape.w, height: shape.h };
    const images = this.#textures.map((texture) => {
      const source = { width: texture.width, height: texture.height };
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
    const rows = this.#createBuffer('image rows', rowsBytes, GPUBufferUsage.STORAGE);
    const sizes = this.#createBuffer(
      'image sizes',
      contents.byteLength,
      GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    );
    const outOfMemory = this.#device.popErrorScope();
    this.#device.queue.writeBuffer(sizes, 0, contents);

    this.#steps = images.map(({ mapping, range }, index) => ({
      pipeline: this.#pipelines.rows[preprocess.color],
      bindGroup: this.#device.createBindGroup({
        label: `image ${index}`,
        layout: this.#pipelines.layout,
        entries: [
          { binding: 0, resource: this.#textures[index].createView() },
          { binding: 1, resource: { buffer: rows } },
          { binding: 2, resource: { buffer: target, size: activationBytes(shape, this.#pipelines.dtype) } },
          { binding: 3, resource: { buffer: sizes, offset: index * stride, size: SIZES_BYTES } },
        ],
      }),
      rows: linearWorkgroups(range.rows * shape.w, limits),
      columns: linearWorkgroups(shape.h * shape.w, limits),
      work: MACS_PER_PIXEL * mapping.source.width * range.rows,
    }));
    if (await outOfMemory) {
      throw new CompConvError(
        'out-of-memory',
        `image: the GPU has no memory for ${rowsBytes} bytes; resize the image before`,
      );
    }
  }

  get work(): readonly number[] {
    return this.#steps.map(({ work }) => work);
  }

  record(pass: GPUComputePassEncoder, from = 0, to = this.#steps.length): void {
    for (const { pipeline, bindGroup, rows, columns } of this.#steps.slice(from, to)) {
      pass.setBindGroup(0, bindGroup);
      pass.setPipeline(pipeline);
      pass.dispatchWorkgroups(...rows);
      pass.setPipeline(this.#pipelines.columns);
      pass.dispatchWorkgroups(...columns);
    }
  }

  release(): void {
    for (const resource of [...this.#textures, ...this.#buffers]) resource.destroy();
    this.#onRelease();
  }

  #createBuffer(label: string, size: number, usage: GPUBufferUsageFlags): GPUBuffer {
    const buffer = this.#device.createBuffer({ label, size, usage });
    this.#buffers.push(buffer);
    return buffer;
  }
}

async function compile(device: GPUDevice, dtype: Dtype): Promise<Pipelines> {
  const visibility = GPUShaderStage.COMPUTE;
  const layout = device.createBindGroupLayout({
    label: 'preprocess',
    entries: [
      { binding: 0, visibility, texture: { sampleType: 'float' } },
      { binding: 1, visibility, buffer: { type: 'storage' } },
      { binding: 2, visibility, buffer: { type: 'storage' } },
      { binding: 3, visibility, buffer: { type: 'uniform' } },
    ],
  });
  const module = device.createShaderModule({ label: 'preprocess', code: moduleCode({ code }, dtype) });
  const pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [layout] });
  const pipeline = (entryPoint: string, constants: Record<string, number> = {}) =>
    device.createComputePipelineAsync({
      label: `preprocess ${entryPoint}`,
      layout: pipelineLayout,
      compute: { module, entryPoint, constants },
    });
  try {
    const [rgb, gray, columns] = await Promise.all([
      pipeline('resizeRows', { GRAY: 0 }),
      pipeline('resizeRows', { GRAY: 1 }),
      pipeline('resizeColumns'),
    ]);
    return { dtype, layout, rows: { rgb, gray }, columns };
  } catch (cause) {
    const message = (cause as Error).message;
    throw new CompConvError('gpu-validation', `the kernel preprocess does not compile on this adapter: ${message}`, {
      cause,
    });
  }
}

function checkTarget(count: number, preprocess: Preprocess, shape: ImageShape, target: GPUBuffer, dtype: Dtype): void {
  const fail = (message: string) =>
    new CompConvError('invalid-argument', `images to ${formatImageShape(shape)}: ${message}`);
  if (count !== shape.n || count === 0) throw fail(`needs ${shape.n} image(s), got ${count}`);
  const channels = preprocessChannels(preprocess);
  if (channels !== shape.c) {
    throw fail(`the preprocessing gives ${channels} channel(s) ("${preprocess.color}"), the network takes ${shape.c}`);
  }
  if (target.size < activationBytes(shape, dtype)) {
    throw fail(`the target needs ${activationBytes(shape, dtype)} bytes, got ${target.size}`);
  }
}

/** One vec4 a pixel: an image has at most 4 channels. */
function activationBytes({ n, h, w }: ImageShape, dtype: Dtype): number {
  return n * h * w * 4 * bytesPerElement(dtype);
}

/** All textures or, should one image fail, none. */
async function uploadAll(device: GPUDevice, images: readonly ImageSource[]): Promise<GPUTexture[]> {
  const outcomes = await Promise.allSettled(images.map((image) => uploadImage(device, image)));
  const textures = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const index = outcomes.findIndex(({ status }) => status === 'rejected');
  if (index === -1) return textures;
  for (const texture of textures) texture.destroy();
  const { reason } = outcomes[index] as PromiseRejectedResult;
  if (images.length === 1 || !(reason instanceof CompConvError)) throw reason;
  throw new CompConvError(
    reason.code,
    `image ${index} of ${images.length}: ${reason.message.replace(/^image: /, '')}`,
    { cause: reason },
  );
}

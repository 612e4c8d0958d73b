/**
 * Images to a network's input on the GPU, by `preprocess.wgsl`: uploads them, or binds them where they are, and records two
 * dispatches for each, in a pass in front of the network's own.
 */
import { CompConvError } from '../errors.ts';
import type { Preprocess } from '../models/preprocess.ts';
import type { Dtype } from '../tensor/dtype.ts';
import { formatImageShape, type ImageShape } from '../tensor/image-shape.ts';
import { isPlatformImage, isVideo, type ImageSource } from './image-source.ts';
import { borrowTexture, uploadImage, type ReadableImage } from './image-texture.ts';
import { activationBytes, Prepared, type PreparedImages } from './prepared-images.ts';
import { checkPreprocess, preprocessChannels } from './preprocess.ts';
import { PreprocessKernels } from './preprocess-kernels.ts';
import { mayImportVideo, VideoImport } from './video-import.ts';

export interface PreprocessorOptions {
  /** Whether video may be read without a copy, as an external texture. Default `mayImportVideo(device)`. */
  readonly importsVideo?: boolean;
}

export interface PrepareOptions {
  /** Mirrors the images left to right. Default false. */
  readonly flip?: boolean;
}

export class ImagePreprocessor {
  readonly #device: GPUDevice;
  readonly #kernels: PreprocessKernels;
  readonly #video: VideoImport | undefined;
  readonly #prepared = new Set<PreparedImages>();
  #destroyed = false;

  private constructor(device: GPUDevice, kernels: PreprocessKernels, importsVideo: boolean) {
    this.#device = device;
    this.#kernels = kernels;
    this.#video = importsVideo ? new VideoImport(device, kernels) : undefined;
  }

  /**
   * Compiles the kernels for uploaded images, to targets whose elements are stored as `dtype`; those for other kinds of images are
   * compiled when one comes. @throws gpu-validation
   */
  static async create(device: GPUDevice, dtype: Dtype = 'f32', options: PreprocessorOptions = {}): Promise<ImagePreprocessor> {
    const { importsVideo = mayImportVideo(device) } = options;
    const kernels = new PreprocessKernels(device, dtype);
    await kernels.pipelines('bytes');
    return new ImagePreprocessor(device, kernels, importsVideo);
  }

  /**
   * Uploads images, or imports them, and binds them to `target`, a STORAGE buffer that starts with an activation of `shape`: NHWC,
   * channels padded to 4. Image i goes to slot i; padding lanes become 0.
   *
   * The result is what torchvision's `Resize(size)`, `CenterCrop(crop)`, `ToTensor`, `Normalize` give on a Pillow image.
   * For a shape other than `crop x crop`, the crop is the shape, and `size` changes in proportion; see `shorterSide`.
   * @throws invalid-argument for images that cannot be used (see `uploadImage`, `borrowTexture`), another number of them than `shape.n`,
   * or channels that do not fit `preprocess`; limit-exceeded, out-of-memory, gpu-validation, disposed
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
    checkTarget(images.length, preprocess, shape, target, this.#kernels.dtype);

    const sources = await allOrNone(images, (image) => this.#open(image));
    const prepared = new Prepared(this.#device, this.#kernels, sources, () => this.#prepared.delete(prepared));
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

  async #open(image: ImageSource): Promise<ReadableImage> {
    if (isPlatformImage(image, 'GPUTexture')) return borrowTexture(image);
    const video = isVideo(image) ? await this.#video?.open(image) : undefined;
    return video ?? uploadImage(this.#device, image);
  }

  #throwIfDestroyed(): void {
    if (this.#destroyed) throw new CompConvError('disposed', 'the image preprocessor was destroyed');
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

/** All opened or, should one image fail, none. */
async function allOrNone(images: readonly ImageSource[], open: (image: ImageSource) => Promise<ReadableImage>): Promise<ReadableImage[]> {
  const outcomes = await Promise.allSettled(images.map(open));
  const opened = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const index = outcomes.findIndex(({ status }) => status === 'rejected');
  if (index === -1) return opened;
  for (const image of opened) image.release();
  const { reason } = outcomes[index] as PromiseRejectedResult;
  if (images.length === 1 || !(reason instanceof CompConvError)) throw reason;
  throw new CompConvError(
    reason.code,
    `image ${index} of ${images.length}: ${reason.message.replace(/^image: /, '')}`,
    { cause: reason },
  );
}

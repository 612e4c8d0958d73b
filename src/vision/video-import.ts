/**
 * Video without a copy: the browser's own frame, wherever its decoder put it, is bound as an external texture, and its colours are
 * converted as they are read. The alternative, an ImageBitmap, goes through the CPU in most browsers.
 *
 * An external texture of a <video> lives until the end of the task that imports it, that of a VideoFrame until the frame is
 * closed. So a frame is imported when commands are recorded, right before their submit, and anew for every submit.
 */
import type { ReadableImage } from './image-texture.ts';
import { checkReady, copyError, invalidImage, isForbidden, isPlatformImage, whyUnready, type Size, type Video } from './image-source.ts';
import type { PreprocessKernels } from './preprocess-kernels.ts';

/**
 * Whether an external texture may be tried on a device. Not where the processor computes: frames are there already, and Chromium
 * without a GPU process of its own ends the device, and every other one with it, at the first import.
 */
export function mayImportVideo(device: GPUDevice): boolean {
  return typeof device.importExternalTexture === 'function' && device.adapterInfo?.isFallbackAdapter !== true;
}

export class VideoImport {
  readonly #device: GPUDevice;
  readonly #kernels: PreprocessKernels;
  #works: Promise<boolean> | undefined;

  constructor(device: GPUDevice, kernels: PreprocessKernels) {
    this.#device = device;
    this.#kernels = kernels;
  }

  /** A video to be imported, or undefined where that does not work: the first one decides. @throws invalid-argument for a video without a frame */
  async open(video: Video): Promise<ReadableImage | undefined> {
    checkReady(video);
    this.#works ??= this.#tryOut(video);
    const isImported = await this.#works;
    checkReady(video); // It may have been closed meanwhile.
    if (!isImported) return undefined;
    const size = sizeOf(video);
    return {
      size,
      kind: 'video',
      resource: () => {
        checkReady(video);
        const { width, height } = sizeOf(video);
        if (width !== size.width || height !== size.height) {
          throw invalidImage(`the <video> changed from ${size.width} x ${size.height} to ${width} x ${height} pixels meanwhile: run again`);
        }
        return this.#import(video);
      },
      release: () => {},
    };
  }

  /** A browser may have external textures without being able to import this sort of frame. */
  async #tryOut(video: Video): Promise<boolean> {
    try {
      await this.#kernels.pipelines('video');
    } catch {
      return false;
    }
    this.#device.pushErrorScope('validation');
    let isImported = true;
    try {
      this.#device.importExternalTexture({ source: video });
    } catch (cause) {
      isImported = false;
      // What is wrong with this video says nothing of others; the other way will tell what it is.
      if (whyUnready(video) || isForbidden(cause)) this.#works = undefined;
    }
    return !(await this.#device.popErrorScope()) && isImported;
  }

  #import(source: Video): GPUExternalTexture {
    try {
      return this.#device.importExternalTexture({ label: 'image', source, colorSpace: 'srgb' });
    } catch (cause) {
      throw copyError(cause);
    }
  }
}

/** As it is shown: cropped, turned and stretched. */
function sizeOf(video: Video): Size {
  return isPlatformImage(video, 'VideoFrame')
    ? { width: video.displayWidth, height: video.displayHeight }
    : { width: (video as HTMLVideoElement).videoWidth, height: (video as HTMLVideoElement).videoHeight };
}

/**
 * Packed weights on the GPU: each constant once, shared by the plans of all input sizes, packed straight into mapped
 * memory so that no second copy is made on the JavaScript side.
 */
import { throwIfAborted } from '../errors.ts';
import type { Constant } from '../kernels/constants.ts';
import type { Weights } from '../weights/weights.ts';

/** Called after each uploaded constant, with bytes. */
export type UploadProgress = (doneBytes: number, totalBytes: number) => void;

export class ConstantStore {
  readonly #device: GPUDevice;
  readonly #weights: Weights;
  readonly #buffers = new Map<string, GPUBuffer>();

  constructor(device: GPUDevice, weights: Weights) {
    this.#device = device;
    this.#weights = weights;
  }

  /** Bytes on the GPU. */
  get byteLength(): number {
    return [...this.#buffers.values()].reduce((sum, buffer) => sum + buffer.size, 0);
  }

  /** Uploads what is not there yet. Yields to the event loop in between, so that a page stays responsive. @throws aborted */
  async upload(constants: Iterable<Constant>, onProgress?: UploadProgress, signal?: AbortSignal): Promise<void> {
    const missing = [...constants].filter(({ key }) => !this.#buffers.has(key));
    const total = missing.reduce((sum, { byteLength }) => sum + byteLength, 0);
    let done = 0;
    let lastYield = performance.now();
    for (const constant of missing) {
      throwIfAborted(signal);
      const buffer = this.#device.createBuffer({
        label: constant.key,
        size: constant.byteLength,
        usage: GPUBufferUsage.STORAGE,
        mappedAtCreation: true,
      });
      // Known from here on, so that it is destroyed whatever happens next.
      this.#buffers.set(constant.key, buffer);
      constant.pack(this.#weights, new Float32Array(buffer.getMappedRange()));
      buffer.unmap();
      done += constant.byteLength;
      onProgress?.(done, total);
      if (performance.now() - lastYield > 30) {
        await new Promise((resolve) => setTimeout(resolve));
        lastYield = performance.now();
      }
    }
  }

  buffer(key: string): GPUBuffer {
    return this.#buffers.get(key)!;
  }

  destroy(): void {
    for (const buffer of this.#buffers.values()) buffer.destroy();
    this.#buffers.clear();
  }
}

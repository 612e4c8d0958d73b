/**
 * Packed weights on the GPU: each constant once, shared by the plans of all input sizes. Buffers are packed straight into
 * mapped memory, so that no second copy is made on the JavaScript side; a texture is packed into a copy that goes at once.
 */
import { throwIfAborted } from '../errors.ts';
import { LANES } from '../tensor/channel-layout.ts';
import { bytesPerElement } from '../tensor/dtype.ts';
import type { Constant } from '../kernels/constants.ts';
import type { Weights } from '../weights/weights.ts';
import { toStored } from './layout.ts';

/** Called after each uploaded constant, with bytes. */
export type UploadProgress = (doneBytes: number, totalBytes: number) => void;

export class ConstantStore {
  readonly #device: GPUDevice;
  readonly #weights: Weights;
  readonly #resources = new Map<string, GPUBuffer | GPUTexture>();
  readonly #byteLengths = new Map<string, number>();

  constructor(device: GPUDevice, weights: Weights) {
    this.#device = device;
    this.#weights = weights;
  }

  /** Bytes on the GPU. */
  get byteLength(): number {
    return [...this.#byteLengths.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Uploads what is not there yet. Yields to the event loop in between, so that a page stays responsive. @throws aborted */
  async upload(constants: Iterable<Constant>, onProgress?: UploadProgress, signal?: AbortSignal): Promise<void> {
    const missing = [...constants].filter(({ key }) => !this.#resources.has(key));
    const total = missing.reduce((sum, { byteLength }) => sum + byteLength, 0);
    let done = 0;
    let lastYield = performance.now();
    for (const constant of missing) {
      throwIfAborted(signal);
      // Known from its creation on, so that it is destroyed whatever happens next.
      if (constant.texture) this.#uploadTexture(constant, constant.texture);
      else this.#uploadBuffer(constant);
      this.#byteLengths.set(constant.key, constant.byteLength);
      done += constant.byteLength;
      onProgress?.(done, total);
      if (performance.now() - lastYield > 30) {
        await new Promise((resolve) => setTimeout(resolve));
        lastYield = performance.now();
      }
    }
  }

  #uploadBuffer(constant: Constant): void {
    const buffer = this.#device.createBuffer({
      label: constant.key,
      size: constant.byteLength,
      usage: GPUBufferUsage.STORAGE,
      mappedAtCreation: true,
    });
    this.#resources.set(constant.key, buffer);
    const target = buffer.getMappedRange();
    if (constant.dtype === 'f16') new Uint16Array(target).set(this.#pack(constant));
    else constant.pack(this.#weights, new Float32Array(target));
    buffer.unmap();
  }

  #uploadTexture(constant: Constant, { width, height }: NonNullable<Constant['texture']>): void {
    const texture = this.#device.createTexture({
      label: constant.key,
      size: [width, height],
      format: constant.dtype === 'f16' ? 'rgba16float' : 'rgba32float',
      usage: GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST,
    });
    this.#resources.set(constant.key, texture);
    const bytesPerRow = width * LANES * bytesPerElement(constant.dtype);
    this.#device.queue.writeTexture({ texture }, this.#pack(constant), { bytesPerRow }, [width, height]);
  }

  #pack({ byteLength, dtype, pack }: Constant) {
    const packed = new Float32Array(byteLength / bytesPerElement(dtype));
    pack(this.#weights, packed);
    return toStored(packed, dtype);
  }

  /** What a binding takes. */
  resource(key: string): GPUBufferBinding | GPUTextureView {
    const resource = this.#resources.get(key)!;
    return 'createView' in resource ? resource.createView() : { buffer: resource };
  }

  /** Destroys all but those that `keys` has. What is destroyed is uploaded again where a plan wants it. */
  keepOnly(keys: { has(key: string): boolean }): void {
    for (const [key, resource] of this.#resources) {
      if (keys.has(key)) continue;
      resource.destroy();
      this.#resources.delete(key);
      this.#byteLengths.delete(key);
    }
  }

  destroy(): void {
    this.keepOnly(new Set());
  }
}

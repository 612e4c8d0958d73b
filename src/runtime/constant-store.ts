/**
 * Packed weights on the GPU: each constant once, shared by the plans of all input sizes. A tensor is held from when it arrives until
 * the constants made of it are packed, buffers of f32 straight into mapped memory, so that the JavaScript side never has all weights;
 * textures and f16 are packed into a copy that goes at once.
 */
import { CompConvError, throwIfAborted } from '../errors.ts';
import type { Constant } from '../kernels/constants.ts';
import { LANES } from '../tensor/channel-layout.ts';
import { bytesPerElement } from '../tensor/dtype.ts';
import { elementCount, formatShape, sameShape, type Tensor } from '../tensor/tensor.ts';
import { readTensors, type Weights, type WeightSource } from '../weights/weights.ts';
import { withErrorScopes } from './device.ts';
import { toStored } from './layout.ts';

/** Called after each uploaded constant, with bytes. */
export type UploadProgress = (doneBytes: number, totalBytes: number) => void;

export class ConstantStore {
  readonly #device: GPUDevice;
  readonly #weights: Weights | WeightSource;
  readonly #resources = new Map<string, GPUBuffer | GPUTexture>();
  readonly #byteLengths = new Map<string, number>();

  constructor(device: GPUDevice, weights: Weights | WeightSource) {
    this.#device = device;
    this.#weights = weights;
  }

  /** Bytes on the GPU. */
  get byteLength(): number {
    return [...this.#byteLengths.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /**
   * Uploads what is not there yet, or nothing if it fails. Yields to the event loop in between, so that a page stays responsive.
   * @throws aborted, gpu-validation, out-of-memory, invalid-weights; what reading the weights does
   */
  async upload(constants: Iterable<Constant>, onProgress?: UploadProgress, signal?: AbortSignal): Promise<void> {
    const missing = [...constants].filter(({ key }) => !this.#resources.has(key));
    try {
      await this.#upload(missing, onProgress, signal);
    } catch (error) {
      // A source may find out at its end only that its bytes are not what they should be.
      for (const { key } of missing) this.#destroy(key);
      throw error;
    }
  }

  async #upload(missing: readonly Constant[], onProgress: UploadProgress | undefined, signal: AbortSignal | undefined): Promise<void> {
    const total = missing.reduce((sum, { byteLength }) => sum + byteLength, 0);
    let done = 0;
    let lastYield = performance.now();
    const checks: Promise<void>[] = [];
    let refusal: unknown;
    const upload = async (constant: Constant, weights: Weights) => {
      throwIfAborted(signal);
      if (refusal !== undefined) throw refusal;
      // What the GPU says of it comes later, and is not waited for.
      const check = withErrorScopes(this.#device, constant.key, () => this.#create(constant, weights));
      checks.push(check.catch((error: unknown) => void (refusal ??= error)));
      done += constant.byteLength;
      onProgress?.(done, total);
      if (performance.now() - lastYield > 30) {
        await new Promise((resolve) => setTimeout(resolve));
        lastYield = performance.now();
      }
    };

    const waiting = new Map(missing.map((constant) => [constant, new Set(constant.params)]));
    const users = new Map<string, Set<Constant>>();
    for (const constant of missing) for (const param of constant.params) users.set(param, (users.get(param) ?? new Set()).add(constant));
    const held = new Map<string, Tensor>();
    const weights: Weights = { shapes: this.#weights.shapes, get: (name) => held.get(name)! };
    const finish = async (constant: Constant) => {
      await upload(constant, weights);
      for (const param of constant.params) {
        users.get(param)!.delete(constant);
        if (users.get(param)!.size === 0) held.delete(param);
      }
    };
    for (const constant of missing) if (constant.params.length === 0) await finish(constant);
    if (users.size > 0) {
      for await (const [name, tensor] of readTensors(this.#weights, new Set(users.keys()), signal)) {
        checkTensor(name, tensor, this.#weights);
        held.set(name, tensor);
        for (const constant of [...users.get(name)!]) {
          waiting.get(constant)!.delete(name);
          if (waiting.get(constant)!.size === 0) await finish(constant);
        }
      }
    }
    await Promise.all(checks);
    if (refusal !== undefined) throw refusal;
  }

  /** Known from its creation on, so that it is destroyed whatever happens next. */
  #create(constant: Constant, weights: Weights): void {
    this.#byteLengths.set(constant.key, constant.byteLength);
    if (constant.texture) this.#createTexture(constant, constant.texture, weights);
    else this.#createBuffer(constant, weights);
  }

  #createBuffer(constant: Constant, weights: Weights): void {
    const buffer = this.#device.createBuffer({
      label: constant.key,
      size: constant.byteLength,
      usage: GPUBufferUsage.STORAGE,
      mappedAtCreation: true,
    });
    this.#resources.set(constant.key, buffer);
    const target = buffer.getMappedRange();
    if (constant.dtype === 'f16') new Uint16Array(target).set(pack(constant, weights));
    else constant.pack(weights, new Float32Array(target));
    buffer.unmap();
  }

  #createTexture(constant: Constant, { width, height }: NonNullable<Constant['texture']>, weights: Weights): void {
    const texture = this.#device.createTexture({
      label: constant.key,
      size: [width, height],
      format: constant.dtype === 'f16' ? 'rgba16float' : 'rgba32float',
      usage: GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST,
    });
    this.#resources.set(constant.key, texture);
    const bytesPerRow = width * LANES * bytesPerElement(constant.dtype);
    this.#device.queue.writeTexture({ texture }, pack(constant, weights), { bytesPerRow }, [width, height]);
  }

  /** What a binding takes. */
  resource(key: string): GPUBufferBinding | GPUTextureView {
    const resource = this.#resources.get(key)!;
    return 'createView' in resource ? resource.createView() : { buffer: resource };
  }

  /** Destroys all but those that `keys` has. What is destroyed is uploaded again where a plan wants it. */
  keepOnly(keys: { has(key: string): boolean }): void {
    for (const key of [...this.#resources.keys()]) if (!keys.has(key)) this.#destroy(key);
  }

  destroy(): void {
    this.keepOnly(new Set());
  }

  #destroy(key: string): void {
    this.#resources.get(key)?.destroy();
    this.#resources.delete(key);
    this.#byteLengths.delete(key);
  }
}

/** What a caller's object gives may be anything. @throws invalid-weights */
function checkTensor(name: string, { shape, data }: Tensor, { shapes }: Weights | WeightSource): void {
  const expected = shapes.get(name)!;
  if (sameShape(shape, expected) && data.length === elementCount(expected)) return;
  throw new CompConvError('invalid-weights', `${name}: is ${formatShape(expected)} by \`shapes\`, got ${formatShape(shape)} with ${data.length} values`);
}

function pack({ byteLength, dtype, pack }: Constant, weights: Weights) {
  const packed = new Float32Array(byteLength / bytesPerElement(dtype));
  pack(weights, packed);
  return toStored(packed, dtype);
}

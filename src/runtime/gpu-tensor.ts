/** Tensors that stay on the GPU: what a caller may hand over, what it gets, and what is wrong with what it handed over. */
import { CompConvError } from '../errors.ts';
import type { DenseLayout } from '../kernels/pack-input.ts';
import { elementCount, formatShape } from '../tensor/tensor.ts';

/** Float32, dense, `[N, C, H, W]` in row-major order, or `[N, classes]`. The buffer is the caller's, to destroy as well. */
export interface GpuTensor {
  readonly shape: readonly number[];
  /** Of the session's device, with the usages STORAGE and COPY_SRC. */
  readonly buffer: GPUBuffer;
  /** Frees the buffer. */
  destroy(): void;
}

/** A dense float32 tensor in a buffer of the session's device, normalised as the network wants it. It is read, and nothing else. */
export interface GpuTensorInput {
  /** `[N, C, H, W]`, however it lies in memory. */
  readonly shape: readonly number[];
  /** With the usage STORAGE. */
  readonly buffer: GPUBuffer;
  /** Byte at which it begins, a multiple of 4. Default 0. */
  readonly offset?: number;
  /** Order of its elements in memory. Default `nchw`. */
  readonly layout?: DenseLayout;
}

/** Checks everything but that the shape is the network's. @throws invalid-argument */
export function checkGpuTensor({ shape, buffer, offset = 0, layout = 'nchw' }: GpuTensorInput): void {
  const fail = (message: string) => new CompConvError('invalid-argument', `tensor on the GPU: ${message}`);
  if (!Array.isArray(shape) || !shape.every((size) => Number.isInteger(size) && size >= 0)) {
    throw fail(`sizes must be non-negative integers, got ${Array.isArray(shape) ? formatShape(shape) : String(shape)}`);
  }
  // By its structure: in Node the class need not be global.
  if (typeof buffer !== 'object' || buffer === null || typeof buffer.usage !== 'number' || typeof buffer.size !== 'number') {
    throw fail(`buffer must be a GPUBuffer, got ${Object.prototype.toString.call(buffer)}; a tensor of the host is { shape, data }`);
  }
  if (layout !== 'nchw' && layout !== 'nhwc') throw fail(`layout must be "nchw" or "nhwc", got ${JSON.stringify(layout)}`);
  if (!(buffer.usage & GPUBufferUsage.STORAGE)) throw fail('kernels cannot read the buffer: create it with GPUBufferUsage.STORAGE, among others');
  if (buffer.mapState !== 'unmapped') throw fail(`the buffer is ${buffer.mapState}: unmap() it before`);
  if (!Number.isInteger(offset) || offset < 0 || offset % 4 !== 0) throw fail(`offset must be a multiple of 4 bytes, got ${offset}`);
  const byteLength = elementCount(shape) * 4;
  if (offset + byteLength > buffer.size) {
    throw fail(`${formatShape(shape)} is ${byteLength} bytes of float32, from ${offset} on; the buffer has ${buffer.size}`);
  }
}

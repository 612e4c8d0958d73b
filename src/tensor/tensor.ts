/**
 * A tensor on the host: dense, row-major float32, dimensions in PyTorch's order (`[N, C, H, W]` images, `[O, I, kh, kw]`
 * convolution weights, `[O, I]` matrices). What is on the GPU is laid out by `channel-layout.ts` instead.
 */
import { CompConvError, show } from '../errors.ts';

/**
 * A tensor of the host, dense and in row-major order: images `[N, C, H, W]`, logits `[N, classes]`, weights as PyTorch's. `data` has exactly
 * the elements of `shape`.
 */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Number of elements of a shape; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Builds a tensor after checking that `data` holds exactly the elements of `shape`. @throws invalid-argument */
export function tensor(shape: readonly number[], data: Float32Array): Tensor {
  if (!Array.isArray(shape) || !shape.every((size) => Number.isInteger(size) && size >= 0)) {
    throw new CompConvError('invalid-argument', `tensor: the shape must be a list of non-negative integers, got ${show(shape)}`);
  }
  // By its name: that of another window is one, too.
  const kind = Object.prototype.toString.call(data);
  if (kind !== '[object Float32Array]') throw new CompConvError('invalid-argument', `tensor: data must be a Float32Array, got ${kind}`);
  if (elementCount(shape) !== data.length) {
    throw new CompConvError(
      'invalid-argument',
      `tensor: shape ${formatShape(shape)} needs ${elementCount(shape)} elements, got ${data.length}`,
    );
  }
  return { shape, data };
}

/** `[1, 3, 224, 224]`. */
export function formatShape(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, i) => size === b[i]);
}

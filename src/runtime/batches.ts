/** Batches that are run in parts, and what is checked of every output. */
import { CompConvError } from '../errors.ts';
import { formatShape, type Tensor } from '../tensor/tensor.ts';
import type { TappedResult } from './gpu-network.ts';
import { batchSize, isGpuTensor, isTensor, type SessionInput } from './session-input.ts';

/** Tells inputs apart whose images take different memory; those of images have the graph's size, whatever they are. */
export function imageSize(input: SessionInput): string {
  return isTensor(input) || isGpuTensor(input) ? input.shape.slice(1).join('x') : '';
}

/** The input in parts of at most `images` each; a tensor on the GPU cannot be one of several. */
export function splitBatch(input: SessionInput, images: number): SessionInput[] {
  if (!isTensor(input) && !Array.isArray(input)) return [input]; // One image, which may well have a `slice` of its own.
  const parts: SessionInput[] = [];
  for (let from = 0; from < batchSize(input); from += images) {
    if (!isTensor(input)) {
      parts.push((input as readonly unknown[] as readonly never[]).slice(from, from + images));
      continue;
    }
    const [n, ...shape] = input.shape;
    const to = Math.min(from + images, n);
    const size = input.data.length / n;
    parts.push({ shape: [to - from, ...shape], data: input.data.subarray(from * size, to * size) });
  }
  return parts;
}

/** The results of a batch's parts, in order, as that of the batch. */
export function joinResults(results: readonly TappedResult[]): TappedResult {
  const sum = (of: (result: TappedResult) => number) => results.reduce((total, result) => total + of(result), 0);
  const isTimed = results.every(({ gpuTimeMs }) => gpuTimeMs !== undefined);
  return {
    output: joinTensors(results.map(({ output }) => output)),
    taps: Object.fromEntries(Object.keys(results[0].taps).map((tap) => [tap, joinTensors(results.map(({ taps }) => taps[tap]))])),
    latencyMs: sum(({ latencyMs }) => latencyMs),
    encodeMs: sum(({ encodeMs }) => encodeMs),
    submits: sum(({ submits }) => submits),
    ...(isTimed && { gpuTimeMs: sum(({ gpuTimeMs }) => gpuTimeMs!) }),
  };
}

/** Tensors one behind the other along the first dimension. */
function joinTensors(tensors: readonly Tensor[]): Tensor {
  const [, ...shape] = tensors[0].shape;
  const data = new Float32Array(tensors.reduce((sum, tensor) => sum + tensor.data.length, 0));
  let offset = 0;
  for (const tensor of tensors) {
    data.set(tensor.data, offset);
    offset += tensor.data.length;
  }
  return { shape: [tensors.reduce((sum, tensor) => sum + tensor.shape[0], 0), ...shape], data };
}

const EXPONENT = 0x7f800000;

/** Looks at the bits, where NaN and infinity have all of the exponent's set. @throws non-finite */
export function checkFinite({ shape, data }: Tensor, name: string): void {
  const bits = new Uint32Array(data.buffer, data.byteOffset, data.length);
  const first = bits.findIndex((word) => (word & EXPONENT) === EXPONENT);
  if (first === -1) return;
  const count = bits.reduce((sum, word) => sum + Number((word & EXPONENT) === EXPONENT), 0);
  throw new CompConvError(
    'non-finite',
    `${name}: ${count} of ${data.length} outputs ${formatShape(shape)} are NaN or infinite, element ${first} the first: the weights or the ` +
      'input hold such values, or sums overflow what they are stored as; with f16, try f32',
  );
}

/** What a session can be given to run, and the errors for everything else. */
import { CompConvError } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import { formatShape, tensor, type Tensor } from '../tensor/tensor.ts';
import { isImageSource, type ImageSource } from '../vision/image-source.ts';
import { checkGpuTensor, type GpuTensorInput } from './gpu-tensor.ts';

/**
 * A tensor `[N, C, H, W]`, already normalised, on the host or on the GPU; or one or more images, which the model's preprocessing makes
 * into one.
 */
export type SessionInput = Tensor | GpuTensorInput | ImageSource | readonly ImageSource[];

export function isTensor(input: SessionInput): input is Tensor {
  return hasShape(input) && !('buffer' in input);
}

export function isGpuTensor(input: SessionInput): input is GpuTensorInput {
  return hasShape(input) && 'buffer' in input;
}

function hasShape(input: SessionInput): input is Tensor | GpuTensorInput {
  return typeof input === 'object' && input !== null && 'shape' in input;
}

/** How many images an input is; nothing is checked here. */
export function batchSize(input: SessionInput): number {
  // A caller without types may pass anything.
  if (isTensor(input) || isGpuTensor(input)) return (input.shape as readonly number[] | undefined)?.[0] ?? 1;
  return Array.isArray(input) ? input.length : 1;
}

/** @throws invalid-argument for a batch, whose logits are no distribution over classes as a whole */
export function checkOneImage(input: SessionInput): void {
  const images = batchSize(input);
  if (images > 1) throw new CompConvError('invalid-argument', `classify: takes one image, got ${images}; for a batch call \`run\`, which gives logits [${images}, classes]`);
}

/** @throws invalid-argument if there are none, or something is no image */
export function imagesOf(input: Exclude<SessionInput, Tensor>): readonly ImageSource[] {
  const images: readonly unknown[] = Array.isArray(input) ? input : [input];
  if (images.length === 0) throw new CompConvError('invalid-argument', 'run: got an empty list of images');
  for (const image of images) {
    if (!isImageSource(image)) {
      throw new CompConvError(
        'invalid-argument',
        'run: expected a tensor { shape, data } or { shape, buffer }, or images (Blob, ImageBitmap, ImageData, canvas, <img>, <video>, ' +
          `VideoFrame, GPUTexture, { width, height, data }), got ${Object.prototype.toString.call(image)}`,
      );
    }
  }
  return images as readonly ImageSource[];
}

/** What the network's input becomes; images are brought to the graph's own size. @throws invalid-argument */
export function shapeOfInput(graph: Graph, input: SessionInput): ImageShape {
  // Not by `shapeOf`: pages that only connect to a worker load this file, and nothing of graphs.
  const own = graph.shapes.get(graph.input)!;
  const isOnGpu = isGpuTensor(input);
  if (!isOnGpu && !isTensor(input)) return { ...own, n: imagesOf(input).length };
  if (isOnGpu) checkGpuTensor(input);
  else tensor(input.shape, input.data);
  const [n, c, h, w] = input.shape;
  if (input.shape.length !== 4 || c !== own.c || n < 1) {
    throw new CompConvError(
      'invalid-argument',
      `${graph.name}: the input must be [N, ${own.c}, H, W] with N >= 1, got ${formatShape(input.shape)}`,
    );
  }
  return { n, h, w, c };
}

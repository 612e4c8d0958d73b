/** Images of every kind as plain pixels, by way of a canvas, for where there is no GPU. Only such a fallback may import it. */
import {
  checkSides,
  copyError,
  decodeImage,
  drawnAdvice,
  invalidImage,
  isDrawn,
  isPlatformImage,
  isRawImage,
  type DrawnImage,
  type ImageSource,
  type RawImage,
} from './image-source.ts';

/**
 * The pixels of an image, in a page or a worker.
 *
 * Files, <img>, video and bitmaps are decoded as for the GPU, without colour profiles. But a canvas multiplies alpha in and divides it
 * out again: where an image is transparent its colours are rounded, where it is fully so they are lost. And browsers that
 * hide what tells machines apart change the pixels that they hand out.
 * @throws invalid-argument for an image that is empty, not loaded, not decodable, not readable for security, or on the GPU
 */
export async function toRawImage(source: ImageSource): Promise<RawImage> {
  if (isRawImage(source)) return source;
  if (isPlatformImage(source, 'GPUTexture')) throw invalidImage('a GPUTexture needs a session on WebGPU: give its pixels as { width, height, data }');
  if (isDrawn(source)) return readPixels(source);
  const bitmap = await decodeImage(source);
  try {
    return readPixels(bitmap);
  } finally {
    bitmap.close();
  }
}

function readPixels(source: DrawnImage): RawImage {
  checkSides(source, drawnAdvice(source));
  const { width, height } = source;
  const context = createContext(width, height);
  if (!context) throw invalidImage(`the browser has no canvas for ${width} x ${height} pixels: resize the image before`);
  try {
    context.drawImage(source, 0, 0);
    return context.getImageData(0, 0, width, height, { colorSpace: 'srgb' });
  } catch (cause) {
    throw copyError(cause);
  }
}

/** On the processor, since it is read back at once. A page of an older browser may have no canvas but those of the document. */
function createContext(width: number, height: number): CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D | null {
  const options: CanvasRenderingContext2DSettings = { willReadFrequently: true };
  if (typeof OffscreenCanvas === 'function') {
    const canvas = new OffscreenCanvas(width, height);
    return canvas.getContext('2d', options);
  }
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [width, height];
  return canvas.getContext('2d', options);
}

/** Output size of a sliding window, shared by convolutions and pooling: `floor((size + 2 p - k) / s) + 1`. */
import { CompConvError } from '../errors.ts';
import { formatImageShape, type ImageShape } from '../tensor/image-shape.ts';

/** A sliding window: side, step, and zeros around the image, in pixels. */
export interface SlidingWindow {
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
}

/** `[N, H, W, C]` to `[N, H', W', channels]`. @throws invalid-graph if the window does not fit even once. */
export function slideWindow(x: ImageShape, { kernelSize, stride, padding }: SlidingWindow, channels: number, where: string): ImageShape {
  const size = (length: number) => Math.floor((length + 2 * padding - kernelSize) / stride) + 1;
  const output = { n: x.n, h: size(x.h), w: size(x.w), c: channels };
  if (output.h < 1 || output.w < 1) {
    throw new CompConvError(
      'invalid-graph',
      `${where}: a ${kernelSize}x${kernelSize} window with stride ${stride} and padding ${padding} does not fit into ` +
        `its input ${formatImageShape(x)}; use a larger input`,
    );
  }
  return output;
}

/** Checks kernel size, stride and padding. @throws invalid-graph */
export function checkWindow({ kernelSize, stride, padding }: SlidingWindow, where: string): void {
  const valid =
    Number.isInteger(kernelSize) && kernelSize >= 1 && Number.isInteger(stride) && stride >= 1 && Number.isInteger(padding) && padding >= 0;
  if (!valid) {
    throw new CompConvError(
      'invalid-graph',
      `${where}: kernel size and stride must be integers >= 1 and padding one >= 0, ` +
        `got ${kernelSize}, ${stride} and ${padding}`,
    );
  }
}

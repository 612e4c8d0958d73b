/**
 * The shape of a value in the graph: always four named sizes, in memory order N, H, W, C. A classifier's vector is
 * `1 x 1` pixels of `c` channels. Named fields, so that NCHW and NHWC cannot be mixed up.
 */
import { CompConvError } from '../errors.ts';

/** Sizes of a value in a graph. A vector is one pixel: `h` and `w` are 1, `c` its elements. */
export interface ImageShape {
  /** Batch. */
  readonly n: number;
  readonly h: number;
  readonly w: number;
  /** Channels, without padding. */
  readonly c: number;
}

/** `[1, 7, 9, 3]`, as `[N, H, W, C]`. */
export function formatImageShape({ n, h, w, c }: ImageShape): string {
  return `[${n}, ${h}, ${w}, ${c}]`;
}

export function sameImageShape(a: ImageShape, b: ImageShape): boolean {
  return a.n === b.n && a.h === b.h && a.w === b.w && a.c === b.c;
}

/** Checks that all four sizes are positive integers. @throws invalid-argument */
export function checkImageShape(shape: ImageShape, where: string): void {
  for (const [axis, size] of Object.entries(shape)) {
    if (!Number.isInteger(size) || size < 1) {
      throw new CompConvError('invalid-argument', `${where}: ${axis} must be a positive integer, got ${size}`);
    }
  }
}

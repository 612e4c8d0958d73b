/**
 * What torchvision's `Resize`, `CenterCrop` and a horizontal flip do to coordinates, as one affine map from the pixels
 * of the target to those of the source, and the uniforms that tell `preprocess.wgsl` about it.
 *
 * Coordinates are continuous: pixel i spans i to i + 1, its centre is i + 0.5.
 */
import { mat3d, type Mat3d } from 'wgpu-matrix';
import { CompConvError } from '../errors.ts';
import type { Preprocess } from '../models/preprocess.ts';
import { LANES } from '../tensor/channel-layout.ts';
import type { Size } from './image-source.ts';

export interface Mapping {
  readonly source: Size;
  readonly target: Size;
  /** Length that the source's shorter side is resized to, before the centre crop to `target`. */
  readonly shorter: number;
  /** Mirrors the result left to right. */
  readonly flip?: boolean;
}

/** Of the source, those that the target is made of, give or take one on either side. */
export interface RowRange {
  readonly firstRow: number;
  readonly rows: number;
}

/** Size after torchvision's `Resize(shorter)`: the longer side is `int(shorter * longer / shorter side)`. */
export function resizedSize({ width, height }: Size, shorter: number): Size {
  if (width <= height) return { width: shorter, height: Math.trunc((shorter * height) / width) };
  return { width: Math.trunc((shorter * width) / height), height: shorter };
}

/**
 * Where torchvision's `CenterCrop(crop)` begins on a side of the resized image: `round((side - crop) / 2)` with
 * Python's halves to even. Negative where the crop is longer: it then pads with black, the odd pixel at the end.
 */
export function cropOffset(side: number, crop: number): number {
  if (crop > side) return -Math.floor((crop - side) / 2);
  const offset = (side - crop) / 2;
  const down = Math.floor(offset);
  return offset === down || down % 2 === 0 ? down : down + 1;
}

/**
 * What to resize the shorter side to, for a target of any size: `size` for the model's own crop, else in proportion, so
 * that the target shows the same part of the image: `round(size * shorter target side / crop)`, at least 1.
 */
export function shorterSide({ size, crop = size }: Preprocess, target: Size): number {
  return Math.max(1, Math.round((size * Math.min(target.width, target.height)) / crop));
}

/** The map from target to source coordinates: flip, then crop, then resize, read from the target. */
export function targetToSource({ source, target, shorter, flip = false }: Mapping): Mat3d {
  const resized = resizedSize(source, shorter);
  const map = mat3d.scaling([source.width / resized.width, source.height / resized.height]);
  mat3d.translate(map, [cropOffset(resized.width, target.width), cropOffset(resized.height, target.height)], map);
  if (flip) {
    mat3d.translate(map, [target.width, 0], map);
    mat3d.scale(map, [-1, 1], map);
  }
  return map;
}

/** Rows of the source that the target needs; the others are not resized at all. */
export function rowRange({ source, target }: Mapping, toSource: Mat3d): RowRange {
  const perRow = toSource[5];
  const centerOf = (row: number) => perRow * (row + 0.5) + toSource[9];
  const reach = Math.max(perRow, 1);
  // One more on either side: the shader computes the same in float32.
  const firstRow = Math.max(0, Math.floor(centerOf(0) - reach + 0.5) - 1);
  const end = Math.min(source.height, Math.floor(centerOf(target.height - 1) + reach + 0.5) + 1);
  return { firstRow, rows: end - firstRow };
}

/** Bytes of the struct `Sizes` in `preprocess.wgsl`. */
export const SIZES_BYTES = 112;

export interface SizesOptions {
  readonly mapping: Mapping;
  readonly toSource: Mat3d;
  readonly range: RowRange;
  readonly preprocess: Preprocess;
  /** Slot of the batch to write. */
  readonly image: number;
}

/** Fills `Sizes` of `preprocess.wgsl`, `SIZES_BYTES` long, at a byte offset of `buffer`. */
export function writeSizes(buffer: ArrayBuffer, offset: number, options: SizesOptions): void {
  const { mapping, toSource, range, preprocess, image } = options;
  const floats = new Float32Array(buffer, offset, SIZES_BYTES / 4);
  floats.set(toSource); // wgpu-matrix pads columns to vec4 as WGSL does.
  preprocess.std.forEach((std, c) => {
    floats[12 + c] = 1 / (255 * std);
    floats[12 + LANES + c] = -preprocess.mean[c] / std;
  });
  const { width, height } = mapping.target;
  new Uint32Array(buffer, offset + 80, 5).set([height, width, range.firstRow, range.rows, image]);
}

/** Channels of the network's input. */
export function preprocessChannels({ color }: Preprocess): number {
  return color === 'gray' ? 1 : 3;
}

/** Checks what a model built by hand can get wrong; files are checked when they are read. @throws invalid-argument */
export function checkPreprocess(preprocess: Preprocess): void {
  const { size, crop = size, mean, std, color } = preprocess;
  const channels = preprocessChannels(preprocess);
  const fail = (message: string) => new CompConvError('invalid-argument', `preprocess: ${message}`);
  for (const [name, side] of Object.entries({ size, crop })) {
    if (!Number.isInteger(side) || side < 1) throw fail(`${name} must be a positive integer, got ${side}`);
  }
  for (const [name, values] of Object.entries({ mean, std })) {
    if (
      values.length !== channels ||
      !values.every((x) => Number.isFinite(x)) ||
      (name === 'std' && values.includes(0))
    ) {
      throw fail(
        `${name} must be ${channels} number(s) for ${color}${name === 'std' ? ', none 0' : ''}, ` +
          `got [${values.join(', ')}]`,
      );
    }
  }
}

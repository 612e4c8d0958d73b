/** How a network wants its images: the `preprocess` metadata of a weights file, or ImageNet's by default. */
import { CompConvError, show } from '../errors.ts';
import { parseJsonObject } from './network.ts';

/** How an image becomes a network's input: resized, cropped in the middle, normalised. */
export interface Preprocess {
  /** Length of the image's shorter side after resizing, as torchvision's `Resize(size)`. */
  readonly size: number;
  /** Side of the centre crop that follows, as `CenterCrop(crop)`. Default `size`. */
  readonly crop?: number;
  /** Per channel, on values 0..1: `(value - mean) / std`. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** `gray` is the luma of ITU-R 601, as PIL's `convert('L')`. */
  readonly color: 'rgb' | 'gray';
}

/** What torchvision's classification networks are trained with. */
export const IMAGENET_PREPROCESS: Preprocess = {
  size: 256,
  crop: 224,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  color: 'rgb',
};

const MAX_SIDE = 16384;

/** Reads the `preprocess` metadata of a weights file. @throws invalid-file */
export function parsePreprocess(json: string): Preprocess {
  const { size, crop, mean, std, color = 'rgb' } = parseJsonObject(json, 'preprocess');
  const fail = (message: string) => new CompConvError('invalid-file', `metadata "preprocess": ${message}`);
  const isSide = (value: unknown): value is number => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_SIDE;
  if (!isSide(size)) throw fail(`size must be an integer from 1 to ${MAX_SIDE}, got ${show(size)}`);
  if (crop != null && !isSide(crop)) throw fail(`crop must be an integer from 1 to ${MAX_SIDE}, got ${show(crop)}`);
  if (color !== 'rgb' && color !== 'gray') throw fail(`color must be "rgb" or "gray", got ${show(color)}`);
  const channels = color === 'rgb' ? 3 : 1;
  const perChannel = (value: unknown, name: string, valid: (x: number) => boolean): number[] => {
    // As the float32 that it becomes.
    const isValid = (x: unknown) => typeof x === 'number' && Number.isFinite(Math.fround(x)) && valid(Math.fround(x));
    if (!Array.isArray(value) || value.length !== channels || !value.every(isValid)) {
      throw fail(`${name} must be ${channels} number(s) for ${color}${name === 'std' ? ', none 0' : ''}, got ${show(value)}`);
    }
    return value;
  };
  return {
    size,
    ...(crop == null ? {} : { crop: crop as number }),
    mean: perChannel(mean, 'mean', () => true),
    std: perChannel(std, 'std', (x) => x !== 0),
    color,
  };
}

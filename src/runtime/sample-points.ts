/** Which elements of a value a self-test looks at: all of a small one, else about two thousand, always those at edges and corners. */
import type { ImageShape } from '../tensor/image-shape.ts';
import { seededUniform } from '../weights/seeded.ts';

/** Elements of a value that are looked at, about. */
const ELEMENTS = 2048;
/** Pixels that are, at least where there are as many; of each so many channels as make up the elements. */
const PIXELS = 256;
/** Pixels on each edge. */
const ON_EDGE = 12;
const SEED = 2;

/** Pixels with channels, `pixel` counted through all images; the same for the same arguments. */
export function samplePoints(name: string, shape: ImageShape, channels: readonly number[]): readonly (readonly [pixel: number, channels: readonly number[]])[] {
  const draw = drawer(name);
  const pixels = samplePixels(shape, draw);
  const each = Math.ceil(ELEMENTS / pixels.length);
  return pixels.map((pixel) => [pixel, each < channels.length ? sampleChannels(channels, each, draw) : channels]);
}

/** An integer from 0 to `count - 1`. */
type Draw = (count: number) => number;

function drawer(name: string): Draw {
  const values = seededUniform(SEED, name, 2 * ELEMENTS, 0, 1);
  let next = 0;
  return (count) => Math.min(Math.floor(values[next++ % values.length] * count), count - 1);
}

function samplePixels({ n, h, w }: ImageShape, draw: Draw): number[] {
  const count = n * h * w;
  if (count <= PIXELS) return Array.from({ length: count }, (_, pixel) => pixel);
  const pixels = new Set<number>();
  const add = (image: number, y: number, x: number) => pixels.add((image * h + y) * w + x);
  for (const image of [0, n - 1]) for (const y of [0, h - 1]) for (const x of [0, w - 1]) add(image, y, x);
  for (let i = 0; i < ON_EDGE; i++) {
    for (const y of [0, h - 1]) add(draw(n), y, draw(w));
    for (const x of [0, w - 1]) add(draw(n), draw(h), x);
  }
  while (pixels.size < PIXELS) pixels.add(draw(count));
  return [...pixels];
}

/** The first, the last, and one of each stretch of `count`: few vec4s of a pixel go unseen. */
function sampleChannels(channels: readonly number[], count: number, draw: Draw): number[] {
  const { length } = channels;
  const begin = (stretch: number) => Math.floor((stretch * length) / count);
  const drawn = Array.from({ length: count }, (_, i) => channels[begin(i) + draw(begin(i + 1) - begin(i))]);
  return [...new Set([channels[0], ...drawn, channels[length - 1]])];
}

/** What preprocessing is checked with: torchvision's results on a photo, and sizes that are awkward to resize. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import type { RawImage } from '../../src/vision/image-source.ts';
import { noise } from './run-preprocessor.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/resize/', import.meta.url));

export interface ResizeCase {
  readonly file: string;
  readonly resize: number;
  readonly crop: number;
  readonly color: 'rgb' | 'gray';
}

const { source, cases } = JSON.parse(readFileSync(`${FIXTURES}cases.json`, 'utf8')) as { source: string; cases: ResizeCase[] };

export { cases as resizeCases };

export async function readPhoto(): Promise<RawImage> {
  const { data, info } = await sharp(FIXTURES + source).ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  return { width: info.width, height: info.height, data };
}

/** torchvision's result, interleaved levels. */
export function readResized({ file, color }: ResizeCase): Promise<Buffer> {
  return sharp(FIXTURES + file).toColourspace(color === 'gray' ? 'b-w' : 'srgb').raw().toBuffer();
}

/** Images, what to resize their shorter side to, and the crop. */
export const awkwardResizes: [name: string, image: RawImage, size: number, h: number, w: number][] = [
  ['one pixel, enlarged', noise(1, 1), 9, 7, 7],
  ['one pixel in the middle of black', noise(1, 1), 1, 4, 4],
  ['a crop larger than the image', noise(6, 5), 5, 12, 12],
  ['a crop larger in one direction', noise(40, 9), 9, 20, 20],
  ['enlarged by a prime', noise(11, 13), 37, 31, 31],
  ['reduced, wide', noise(97, 31), 8, 7, 7],
  ['reduced, tall', noise(31, 97), 8, 7, 7],
  ['not resized', noise(23, 17), 17, 11, 11],
  ['reduced to one pixel', noise(64, 48), 1, 1, 1],
  ['one column', noise(1, 50), 5, 5, 5],
];

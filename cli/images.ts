/**
 * Image files in Node, through `sharp`, which is loaded only here and only when an image is read: it is optional, and a
 * network can be run on tensors without it.
 */

import { CompConvError } from '../src/errors.ts';
import type { RawImage } from '../src/vision/image-source.ts';
import { readBytes } from './files.ts';

/**
 * Decodes a PNG, JPEG, WebP or whatever else `sharp` knows to RGBA of 8 bits, upright by its EXIF orientation. Colour
 * profiles are ignored, as Pillow does.
 * @throws io; invalid-file for what is no image
 */
export async function readImage(path: string): Promise<RawImage> {
  const bytes = await readBytes(path);
  const sharp = await importSharp();
  try {
    const { data, info } = await sharp(bytes, { ignoreIcc: true })
      .autoOrient()
      .toColourspace('srgb')
      .ensureAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return {
      width: info.width,
      height: info.height,
      data: new Uint8ClampedArray(data.buffer, data.byteOffset, data.byteLength),
    };
  } catch (cause) {
    throw new CompConvError('invalid-file', `${path}: cannot be decoded as an image: ${(cause as Error).message}`, {
      cause,
    });
  }
}

async function importSharp(): Promise<(typeof import('sharp'))['default']> {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    const reason = (cause as Error).message.split('\n')[0];
    throw new CompConvError(
      'internal',
      `cannot load the npm package "sharp", which reads images: ${reason}. Install it with: npm install sharp`,
      {
        cause,
      },
    );
  }
}

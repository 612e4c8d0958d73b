/**
 * Images in Node, through the optional package `sharp`, which is loaded only when an image is decoded: a network can be run on
 * tensors without it.
 */
import { CompConvError } from '../errors.ts';
import type { RawImage } from '../vision/image-source.ts';
import { readBytes } from './files.ts';

/**
 * Decodes a PNG, JPEG, WebP or whatever else `sharp` knows, from a file or its bytes, to RGBA of 8 bits, upright by its EXIF
 * orientation: what `session.run` and `session.classify` take. Colour profiles are ignored, as Pillow does.
 * @throws io for a file that cannot be read, or where `sharp` is not installed; invalid-file for what is no image
 */
export async function decodeImage(file: string | Uint8Array): Promise<RawImage> {
  const bytes = typeof file === 'string' ? await readBytes(file) : file;
  const sharp = await importSharp();
  try {
    const { data, info } = await sharp(bytes, { ignoreIcc: true })
      .autoOrient()
      .toColourspace('srgb')
      .ensureAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, data: new Uint8ClampedArray(data.buffer, data.byteOffset, data.byteLength) };
  } catch (cause) {
    const name = typeof file === 'string' ? file : `an image of ${file.byteLength} bytes`;
    throw new CompConvError('invalid-file', `${name}: cannot be decoded as an image: ${(cause as Error).message.split('\n')[0]}`, { cause });
  }
}

async function importSharp(): Promise<(typeof import('sharp'))['default']> {
  try {
    return (await import('sharp')).default;
  } catch (cause) {
    const reason = (cause as Error).message.split('\n')[0];
    throw new CompConvError('io', `cannot load the npm package "sharp", which reads images: ${reason}. Install it with: npm install sharp`, {
      cause,
    });
  }
}

/** Images in Node: as many RGBA bytes as there are pixels, or an error. The decoders are sharp's, in native code. */
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';
import { decodeImage } from '../../../src/node/images.ts';
import { damaged, damages, type Damage } from '../mutations.ts';
import { mustEqual, outcomeOf } from '../outcome.ts';
import { defineTarget } from '../target.ts';

const pixels = (channels: 1 | 2 | 3 | 4) =>
  sharp(Buffer.from(Array.from({ length: 7 * 5 * channels }, (_, i) => (i * 37) & 255)), { raw: { width: 7, height: 5, channels } });
const IMAGES = await Promise.all([
  ...([1, 2, 3, 4] as const).map((channels) => pixels(channels).png().toBuffer()),
  pixels(3).toColourspace('rgb16').png().toBuffer(),
  pixels(3).png({ palette: true }).toBuffer(),
  pixels(3).jpeg().withMetadata({ orientation: 6 }).toBuffer(),
  pixels(3).toColourspace('cmyk').jpeg().toBuffer(),
  pixels(1).jpeg({ progressive: true }).toBuffer(),
  pixels(4).webp().toBuffer(),
  pixels(3).webp({ lossless: true }).toBuffer(),
  pixels(4).gif().toBuffer(),
  pixels(3).tiff({ compression: 'lzw' }).toBuffer(),
  pixels(4).avif().toBuffer(),
  Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="7" height="5"><rect width="3" height="3"/></svg>'),
]);
const PNGS = 6;

const side = fc.oneof({ weight: 3, arbitrary: fc.nat(9) }, fc.constantFrom(300, 20_000, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1));
const image = fc.record({
  image: fc.nat(IMAGES.length - 1),
  damages,
  /** A PNG's head, which has a checksum that most damage does not get past. */
  head: fc.option(
    fc.record({ width: side, height: side, bitDepth: fc.constantFrom(1, 2, 4, 8, 16, 3, 0), colorType: fc.constantFrom(0, 2, 3, 4, 6, 1, 7), interlace: fc.nat(2) }, { requiredKeys: [] }),
    { nil: undefined },
  ),
});
type ImagePlan = typeof image extends fc.Arbitrary<infer T> ? T : never;

function build({ image, damages, head }: ImagePlan): Uint8Array<ArrayBuffer> {
  const bytes = Buffer.from(IMAGES[image]);
  if (image < PNGS && head) {
    const { width, height, bitDepth, colorType, interlace } = head;
    if (width !== undefined) bytes.writeUInt32BE(width, 16);
    if (height !== undefined) bytes.writeUInt32BE(height, 20);
    [bitDepth, colorType].forEach((byte, i) => byte !== undefined && bytes.writeUInt8(byte, 24 + i));
    if (interlace !== undefined) bytes.writeUInt8(interlace, 28);
  }
  const result = damaged(bytes, damages as Damage[]);
  return image < PNGS ? withChecksums(result) : result;
}

/** A PNG whose chunks have the checksums that they should. */
function withChecksums(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(bytes.buffer);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const end = at + 8 + view.getUint32(at);
    if (end + 4 > bytes.length) break;
    view.setUint32(end, crc32(bytes.subarray(at + 4, end)));
    at = end + 4;
  }
  return bytes;
}

/** A larger one is refused before it is decoded. */
const MAX_PIXELS = 0x3fff ** 2;

export const images = defineTarget('image', 60, image, async (plan) => {
  const { value } = await outcomeOf(['invalid-file'], () => decodeImage(build(plan)));
  if (!value) return;
  const { width, height, data } = value;
  mustEqual(Number.isInteger(width) && Number.isInteger(height) && width >= 1 && height >= 1 && width * height <= MAX_PIXELS, true, `${width} x ${height} pixels`);
  mustEqual(data.length, width * height * 4, 'bytes');
});

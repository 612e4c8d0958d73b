/** Images through sharp: what is none is refused in one line. */
import sharp from 'sharp';
import { expect, test } from 'vitest';
import { decodeImage } from '../../src/node/images.ts';

const GRAY = { raw: { width: 3, height: 2, channels: 1 as const } };

test('a gray PNG becomes RGBA', async () => {
  const png = await sharp(Buffer.from([0, 50, 100, 150, 200, 250]), GRAY).png().toBuffer();
  const { width, height, data } = await decodeImage(png);
  expect([width, height]).toEqual([3, 2]);
  expect([...data]).toEqual([0, 50, 100, 150, 200, 250].flatMap((level) => [level, level, level, 255]));
});

test('a damaged TIFF, of which libvips has much to say', async () => {
  const tiff = await sharp(Buffer.alloc(6), GRAY).tiff().toBuffer();
  const error = await decodeImage(tiff.subarray(0, 60)).catch((error: unknown) => error);
  expect(error).toMatchObject({ code: 'invalid-file', message: expect.stringMatching(/^an image of 60 bytes: cannot be decoded as an image: .+$/) });
});

/** Every kind of image a page can hand over becomes the same tensor as its plain bytes, in a real browser. */
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { launchBrowser, startPage, type TestBrowser, type TestPage } from '../support/browser.ts';
import { prepareBench, type Bench } from './image-bench.ts';

let chromium: TestBrowser | undefined;
let site: TestPage | undefined;
let page: Page;

beforeAll(async () => {
  chromium = await launchBrowser();
  site = await startPage();
  page = await chromium.browser.newPage();
  await page.goto(`${site.url}package.json`);
  await page.evaluate(prepareBench);
});

afterAll(async () => {
  await site?.close();
  await chromium?.close();
});

declare const bench: Bench;

describe('the same tensor as from the plain bytes', () => {
  let expected: number[];

  beforeAll(async () => {
    expected = (await page.evaluate(() => {
      const { width, height, data } = bench.raw;
      return bench.run({ width, height, data: new Uint8Array(data) });
    })) as number[];
    expect(expected.length).toBe(16 * 16 * 4);
    expect(expected.filter((x, i) => i % 4 < 3 && x > 0).length).toBeGreaterThan(700);
    expect(expected.filter((x, i) => i % 4 === 3 && x !== 0)).toEqual([]);
  });

  const sources: [name: string, make: () => unknown][] = [
    ['ImageData', () => bench.raw],
    ['Blob', () => bench.png()],
    ['File', async () => new File([await bench.png()], 'image.png', { type: 'image/png' })],
    ['ImageBitmap', () => createImageBitmap(bench.raw)],
    ['<canvas>', () => bench.canvas],
    [
      'OffscreenCanvas',
      () => {
        const canvas = new OffscreenCanvas(bench.raw.width, bench.raw.height);
        canvas.getContext('2d')!.putImageData(bench.raw, 0, 0);
        return canvas;
      },
    ],
    ['<img>', async () => bench.img(await bench.png())],
    ['VideoFrame', () => new VideoFrame(bench.canvas, { timestamp: 0 })],
    [
      'VideoFrame, turned',
      () => {
        // The pixels turned back by a quarter, in a frame that is to be shown turned.
        const { width, height, data } = bench.raw;
        const turned = new ImageData(height, width);
        for (let y = 0; y < width; y++) {
          for (let x = 0; x < height; x++) {
            const from = (x * width + (width - 1 - y)) * 4;
            turned.data.set(data.subarray(from, from + 4), (y * height + x) * 4);
          }
        }
        const canvas = new OffscreenCanvas(height, width);
        canvas.getContext('2d')!.putImageData(turned, 0, 0);
        return new VideoFrame(canvas, { timestamp: 0, rotation: 90 } as VideoFrameInit);
      },
    ],
  ];

  it.each(sources)('%s', async (_name, make) => {
    const actual = await page.evaluate(
      `(async () => { const image = await (${make})(); return [bench.isImageSource(image), await bench.run(image)]; })()`,
    );
    expect(actual).toEqual([true, expected]);
  });

  it.each(sources)('%s, as pixels without a GPU', async (_name, make) => {
    const [actual, pixels] = (await page.evaluate(
      `(async () => [await bench.toRaw(await (${make})()), [bench.raw.width, bench.raw.height, ...bench.raw.data]])()`,
    )) as number[][];
    expect(actual).toEqual(pixels);
  });
});

it('plays a <video>', async () => {
  // The stream's colours are coded, so that only a plain one can be compared, and roughly.
  const pixels = await page.evaluate(async () => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [64, 64];
    const context = canvas.getContext('2d')!;
    const draw = () => {
      context.fillStyle = 'rgb(200, 100, 50)';
      context.fillRect(0, 0, 64, 64);
    };
    const video = document.createElement('video');
    video.muted = true;
    const early = await bench.run(video);
    video.srcObject = canvas.captureStream();
    const timer = setInterval(draw, 20);
    void video.play();
    await new Promise((resolve) => video.addEventListener('loadeddata', resolve));
    clearInterval(timer);
    return { early, values: await bench.run(video, 2) };
  });
  expect(pixels.early).toBe('invalid-argument: image: the <video> has no frame yet: wait for its "loadeddata" event');
  expect(pixels.values.length).toBe(16);
  [...(pixels.values as number[])].forEach((value, i) =>
    expect(Math.abs(value - [200, 100, 50, 0][i % 4])).toBeLessThan(8),
  );
});

describe('files', () => {
  it('keeps the colours under transparent pixels', async () => {
    const png = await sharp(Buffer.from([200, 100, 50, 0]), { raw: { width: 1, height: 1, channels: 4 } })
      .png()
      .toBuffer();
    const values = await page.evaluate((b) => bench.run(bench.blobOf(b, 'image/png'), 1), png.toString('base64'));
    expect(values).toEqual([200, 100, 50, 0]);
  });

  it('turns photos upright by their EXIF orientation', async () => {
    // Left half black, right half white; orientation 6 turns it a quarter clockwise: white at the bottom.
    const row = [...Array<number>(24).fill(0), ...Array<number>(24).fill(255)];
    const raw = Buffer.from(Array(16).fill(row).flat());
    const jpeg = await sharp(raw, { raw: { width: 16, height: 16, channels: 3 } })
      .withMetadata({ orientation: 6 })
      .jpeg()
      .toBuffer();
    const values = (await page.evaluate(
      (b) => bench.run(bench.blobOf(b, 'image/jpeg'), 16),
      jpeg.toString('base64'),
    )) as number[];
    const red = (x: number, y: number) => values[(y * 16 + x) * 4];
    for (const x of [2, 13]) {
      expect(red(x, 2)).toBeLessThan(20);
      expect(red(x, 13)).toBeGreaterThan(235);
    }
  });

  it('leaves colour profiles alone, as Pillow does', async () => {
    const png = await sharp(Buffer.from([200, 100, 50]), { raw: { width: 1, height: 1, channels: 3 } })
      .withIccProfile('p3')
      .png()
      .toBuffer();
    const stored = await sharp(png, { ignoreIcc: true }).raw().toBuffer();
    const load = (b: string) => bench.blobOf(b, 'image/png');
    const fromBlob = await page.evaluate(`bench.run((${load})('${png.toString('base64')}'), 1)`);
    const fromImg = await page.evaluate(
      `bench.img((${load})('${png.toString('base64')}')).then((image) => bench.run(image, 1))`,
    );
    expect(fromBlob).toEqual([...stored.subarray(0, 3), 0]);
    expect(fromImg).toEqual(fromBlob);
  });
});

describe('readable errors', () => {
  const cases: [name: string, make: () => unknown, message: RegExp][] = [
    [
      'a Blob that is no image',
      () => new Blob(['hello'], { type: 'text/plain' }),
      /^invalid-argument: image: the 5 bytes of type text\/plain cannot be decoded: .*; is it a JPEG/,
    ],
    ['an empty Blob', () => new Blob([]), /^invalid-argument: image: the 0 bytes cannot be decoded/],
    ['an <img> without a picture', () => new Image(), /^invalid-argument: image: the <img> has no picture/],
    [
      'an <img> that is loading',
      () => Object.assign(new Image(), { src: 'https://192.0.2.1/x.png' }),
      /^invalid-argument: image: the <img> is not loaded yet: await its decode\(\) first/,
    ],
    [
      'a closed ImageBitmap',
      async () => {
        const bitmap = await createImageBitmap(bench.raw);
        bitmap.close();
        return bitmap;
      },
      /^invalid-argument: image: got 0 x 0 pixels; the ImageBitmap was closed/,
    ],
    [
      'a closed VideoFrame',
      () => {
        const frame = new VideoFrame(bench.canvas, { timestamp: 0 });
        frame.close();
        return frame;
      },
      /^invalid-argument: image: the VideoFrame was closed: use it before close\(\)/,
    ],
    [
      'a canvas without a size',
      () => Object.assign(document.createElement('canvas'), { width: 0 }),
      /got 0 x 150 pixels; give the canvas a size/,
    ],
    [
      'a canvas without a context',
      () => new OffscreenCanvas(4, 4),
      /^invalid-argument: image: it cannot be read: .*; draw on the canvas first/,
    ],
    [
      'too large a canvas',
      () => new OffscreenCanvas(9000, 1),
      /9000 x 1 pixels is more than this device's 8192 on a side: resize/,
    ],
  ];

  it("another site's <img>", async () => {
    const address = `${site!.url.replace('localhost', '127.0.0.1')}test/fixtures/resize/gray-28-28.png`;
    // A site that lets others show its images: without this a page that is isolated, as Vite's are here, gets none at all.
    await page.route(address, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, headers: { ...response.headers(), 'Cross-Origin-Resource-Policy': 'cross-origin' } });
    });
    const message = await page.evaluate(async (src) => {
      const image = Object.assign(new Image(), { src });
      await image.decode();
      return bench.run(image);
    }, address);
    expect(message).toMatch(
      /^invalid-argument: image: it comes from another site and may not be read: load it with crossorigin/,
    );
  });

  it.each(cases)('%s', async (_name, make, message) => {
    expect(await page.evaluate(`(async () => bench.run(await (${make})()))()`)).toMatch(message);
  });

  // A canvas without a context is transparent, and how large one may be is another matter there.
  it.each(cases.filter(([name]) => !/without a context|too large/.test(name)))('%s, without a GPU', async (_name, make, message) => {
    expect(await page.evaluate(`(async () => bench.toRaw(await (${make})()))()`)).toMatch(message);
  });

  it('a GPUTexture, without a GPU', async () => {
    const message = await page.evaluate(() => {
      const texture = bench.device.createTexture({ size: [1], format: 'rgba8unorm', usage: GPUTextureUsage.TEXTURE_BINDING });
      return bench.toRaw(texture);
    });
    expect(message).toBe('invalid-argument: image: a GPUTexture needs a session on WebGPU: give its pixels as { width, height, data }');
  });
});

/**
 * Video without a copy, in a browser whose drawing goes through Vulkan too, which external textures take: the same as through an
 * ImageBitmap. The other browser tests see the fallback.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Page } from 'playwright-core';
import { launchBrowser, startPage, type TestBrowser, type TestPage } from '../support/browser.ts';
import { prepareBench, type Bench } from './image-bench.ts';
declare const bench: Bench;

let chromium: TestBrowser | undefined;
let site: TestPage | undefined;
let page: Page;

beforeAll(async () => {
  const softwareArgs = ['--use-vulkan=swiftshader', '--enable-features=Vulkan', '--disable-vulkan-surface', '--use-angle=swiftshader', '--ignore-gpu-blocklist'];
  chromium = await launchBrowser({ softwareArgs });
  site = await startPage();
  page = await chromium.browser.newPage();
  await page.goto(`${site.url}package.json`);
  await page.evaluate(prepareBench);
  await page.evaluate(() => {
    const counts = { imports: 0, bitmaps: 0 };
    const { device } = bench;
    const importExternalTexture = device.importExternalTexture.bind(device);
    device.importExternalTexture = (descriptor) => (counts.imports++, importExternalTexture(descriptor));
    const create = globalThis.createImageBitmap;
    globalThis.createImageBitmap = ((...args: Parameters<typeof create>) => (counts.bitmaps++, create(...args))) as typeof create;
    // Smooth, so that a pixel read from beside the right one is a little off, not a lot; and not symmetric in any way.
    const bytes = (width: number, height: number, channels: number) =>
      Uint8Array.from({ length: width * height * channels }, (_, i) => {
        const [x, y, c] = [Math.floor(i / channels) % width, Math.floor(i / channels / width), i % channels];
        return c === 3 ? 255 : 20 + ((x * (5 - c) + y * (2 + 2 * c)) % 200);
      });
    // Chroma at half the size: a plane each in I420, pairs in NV12. A step of one level to the right, two downwards.
    const yuv = (format: 'I420' | 'NV12', colorSpace?: VideoColorSpaceInit) => {
      const chroma = Array.from({ length: 18 * 11 }, (_, i) => (i % 18) + 2 * Math.floor(i / 18));
      const [u, v] = [chroma.map((x) => 100 + x), chroma.map((x) => 160 - x)];
      const planes = format === 'I420' ? [...u, ...v] : u.flatMap((x, i) => [x, v[i]]);
      const data = new Uint8Array([...bytes(36, 22, 1), ...planes]);
      return new VideoFrame(data, { format, codedWidth: 36, codedHeight: 22, timestamp: 0, ...(colorSpace && { colorSpace }) });
    };
    const rgb = (format: VideoPixelFormat) => new VideoFrame(bytes(36, 22, 4), { format, codedWidth: 36, codedHeight: 22, timestamp: 0 });
    const canvas = (init?: Partial<VideoFrameInit>) => new VideoFrame(bench.canvas, { timestamp: 0, ...init });
    Object.assign(globalThis, { counts, frames: { yuv, rgb, canvas } });
  });
});

afterAll(async () => {
  await site?.close();
  await chromium?.close();
});

declare const counts: { imports: number; bitmaps: number };
declare const frames: {
  yuv(format: 'I420' | 'NV12', colorSpace?: VideoColorSpaceInit): VideoFrame;
  rgb(format: VideoPixelFormat): VideoFrame;
  canvas(init?: Partial<VideoFrameInit & { rotation: number; flip: boolean }>): VideoFrame;
};

/** Largest difference of two tensors of levels. */
function apart(a: readonly number[], b: readonly number[]): number {
  expect(a.length).toBe(b.length);
  return Math.max(...a.map((value, i) => Math.abs(value - b[i])));
}

// 8 bits in between in one of both: a level.
const LEVEL = 1.001;
/** Some formats' chroma is interpolated in one and not in the other: by half a step of 2 + 1 levels, times the 2.11 of blue. */
const CHROMA = 1.5 * 2.11;

describe('frames, as their ImageBitmap', () => {
  const cases: [name: string, make: () => VideoFrame, tolerance?: number][] = [
    ['of a canvas', () => frames.canvas()],
    ['RGBA', () => frames.rgb('RGBA')],
    ['BGRX', () => frames.rgb('BGRX')],
    ['I420', () => frames.yuv('I420')],
    ['NV12', () => frames.yuv('NV12'), LEVEL + CHROMA],
    ['full range', () => frames.yuv('I420', { matrix: 'smpte170m', fullRange: true, primaries: 'bt709', transfer: 'iec61966-2-1' })],
    ['a part', () => frames.canvas({ visibleRect: { x: 4, y: 2, width: 20, height: 18 } })],
    ['turned', () => frames.canvas({ rotation: 90 })],
    ['mirrored', () => frames.canvas({ flip: true })],
    ['stretched', () => frames.canvas({ displayWidth: 50, displayHeight: 20 })],
  ];
  it.each(cases)('%s', async (_name, make, tolerance = LEVEL) => {
    const result = (await page.evaluate(`(async () => {
      const frame = (${make})();
      const before = { ...counts };
      const imported = await bench.run(frame, 16, true);
      const importing = { imports: counts.imports - before.imports, bitmaps: counts.bitmaps - before.bitmaps };
      const copied = await bench.run(frame, 16, false);
      frame.close();
      return { imported, copied, importing };
    })()`)) as { imported: number[]; copied: number[]; importing: typeof counts };
    expect(result.importing.bitmaps).toBe(0);
    expect(result.importing.imports).toBeGreaterThanOrEqual(1);
    expect(new Set(result.copied).size).toBeGreaterThan(50);
    expect(apart(result.imported, result.copied)).toBeLessThan(tolerance);
  });
});

it('a turned and mirrored frame is as its pixels, turned and mirrored', async () => {
  const [frame, pixels] = (await page.evaluate(async () => {
    const { width, height, data } = bench.raw;
    // Clockwise by a quarter, then left to right.
    const turned = new Uint8Array(data.length);
    for (let y = 0; y < width; y++) {
      for (let x = 0; x < height; x++) turned.set(data.subarray((x * width + y) * 4, (x * width + y) * 4 + 4), (y * height + x) * 4);
    }
    return [await bench.run(frames.canvas({ rotation: 90, flip: true }), 16, true), await bench.run({ width: height, height: width, data: turned })];
  })) as [number[], number[]];
  expect(apart(frame, pixels)).toBeLessThan(LEVEL);
});

it('a <video>, as its ImageBitmap', async () => {
  const { early, imported, copied, importing } = (await page.evaluate(async () => {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [64, 40];
    const context = canvas.getContext('2d')!;
    const draw = () => {
      for (let x = 0; x < 64; x++) {
        context.fillStyle = `rgb(${4 * x}, ${200 - 3 * x}, 50)`;
        context.fillRect(x, 0, 1, 40);
      }
    };
    const video = document.createElement('video');
    video.muted = true;
    const early = await bench.run(video, 16, true);
    video.srcObject = canvas.captureStream();
    const timer = setInterval(draw, 20);
    void video.play();
    await new Promise((resolve) => video.addEventListener('loadeddata', resolve));
    clearInterval(timer);
    const before = counts.bitmaps;
    const imported = await bench.run(video, 16, true);
    const importing = counts.bitmaps - before;
    return { early, imported, copied: await bench.run(video, 16, false), importing };
  })) as { early: string; imported: number[]; copied: number[]; importing: number };
  expect(early).toBe('invalid-argument: image: the <video> has no frame yet: wait for its "loadeddata" event');
  expect(importing).toBe(0);
  expect(new Set(copied).size).toBeGreaterThan(30);
  expect(apart(imported, copied)).toBeLessThan(LEVEL);
});

it('a closed frame, and one that is closed before its commands are recorded', async () => {
  const [closed, late] = (await page.evaluate(async () => {
    const frame = frames.canvas();
    frame.close();
    const closed = await bench.run(frame, 16, true);
    const target = bench.device.createBuffer({ size: 4096, usage: GPUBufferUsage.STORAGE });
    const preprocess = { size: 16, mean: [0, 0, 0], std: [1, 1, 1], color: 'rgb' as const };
    const other = frames.canvas();
    const prepared = await (await bench.preprocessorFor(true)).prepare([other], preprocess, { n: 1, h: 16, w: 16, c: 3 }, target);
    other.close();
    const pass = bench.device.createCommandEncoder().beginComputePass();
    try {
      prepared.record(pass);
      return [closed, 'recorded'];
    } catch (error) {
      return [closed, (error as Error).message];
    } finally {
      prepared.release();
    }
  })) as [string, string];
  expect(closed).toBe('invalid-argument: image: the VideoFrame was closed: use it before close()');
  expect(late).toBe('image: the VideoFrame was closed: use it before close()');
});

it('a batch of both, and again for another submit', async () => {
  const same = await page.evaluate(async () => {
    const { device } = bench;
    const bytes = 3 * 16 * 16 * 16;
    const target = device.createBuffer({ size: bytes, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
    const preprocess = { size: 16, mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255], color: 'rgb' as const };
    const frame = frames.canvas();
    const prepared = await (await bench.preprocessorFor(true)).prepare([frame, bench.canvas, frame], preprocess, { n: 3, h: 16, w: 16, c: 3 }, target);
    // As the queue does with work that takes long: a submit for each image.
    for (let i = 0; i < 3; i++) {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      prepared.record(pass, i, i + 1);
      pass.end();
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
    }
    prepared.release();
    const readback = device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(target, 0, readback, 0, bytes);
    device.queue.submit([encoder.finish()]);
    await readback.mapAsync(GPUMapMode.READ);
    const values = [...new Float32Array(readback.getMappedRange())];
    const expected = (await bench.run(bench.canvas)) as number[];
    return values.every((value, i) => Math.abs(value - expected[i % expected.length]) < 1.001);
  });
  expect(same).toBe(true);
});

describe('where video cannot be imported, it is copied', () => {
  it('the first video decides, for good', async () => {
    const result = await page.evaluate(async () => {
      let imports = 0;
      const refusing = new Proxy(bench.device, {
        get(target, key) {
          const value = Reflect.get(target, key, target) as unknown;
          if (key !== 'importExternalTexture') return typeof value === 'function' ? value.bind(target) : value;
          return () => {
            imports++;
            throw new DOMException('no frame of this sort', 'OperationError');
          };
        },
      });
      const preprocessor = await bench.createPreprocessor(refusing, 'f32', { importsVideo: true });
      const target = bench.device.createBuffer({ size: 4096, usage: GPUBufferUsage.STORAGE });
      const preprocess = { size: 16, mean: [0, 0, 0], std: [1, 1, 1], color: 'rgb' as const };
      const before = counts.bitmaps;
      for (let i = 0; i < 3; i++) {
        const frame = frames.canvas();
        (await preprocessor.prepare([frame], preprocess, { n: 1, h: 16, w: 16, c: 3 }, target)).release();
        frame.close();
      }
      return { imports, bitmaps: counts.bitmaps - before };
    });
    expect(result).toEqual({ imports: 1, bitmaps: 3 });
  });

  it('nor is it tried where the processor computes', async () => {
    expect(await page.evaluate(() => bench.mayImportVideo(bench.device))).toBe(!chromium!.isSoftware);
  });
});

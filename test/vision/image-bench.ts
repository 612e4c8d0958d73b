/** Images through the preprocessing in a browser's page: what the tests of images and of video share. */
import type { ImagePreprocessor } from '../../src/vision/image-preprocessor.ts';

/** What is on the page afterwards, as `bench`. */
export interface Bench {
  readonly raw: ImageData;
  readonly canvas: HTMLCanvasElement;
  /** The tensor of one image: 4 lanes a pixel, or the error as `code: message`. `importsVideo`: see `PreprocessorOptions`. */
  run(image: unknown, size?: number, importsVideo?: boolean): Promise<number[] | string>;
  /** Width, height and bytes by `toRawImage`, or the error. */
  toRaw(image: unknown): Promise<number[] | string>;
  png(): Promise<Blob>;
  blobOf(base64: string, type: string): Blob;
  img(blob: Blob): Promise<HTMLImageElement>;
  isImageSource(value: unknown): boolean;
  readonly device: GPUDevice;
  preprocessorFor(importsVideo?: boolean): Promise<ImagePreprocessor>;
  readonly createPreprocessor: typeof ImagePreprocessor.create;
  mayImportVideo(device: GPUDevice): boolean;
}
/** Travels to the page as text, so it uses nothing but what it is given and the browser's own names. */
async function preparePage(load: (path: string) => Promise<unknown>): Promise<void> {
  type Preprocessing = typeof import('../../src/vision/image-preprocessor.ts');
  type Sources = typeof import('../../src/vision/image-source.ts');
  const { ImagePreprocessor } = (await load('/src/vision/image-preprocessor.ts')) as Preprocessing;
  const { isImageSource } = (await load('/src/vision/image-source.ts')) as Sources;
  const { toRawImage } = (await load('/src/vision/raw-image.ts')) as typeof import('../../src/vision/raw-image.ts');
  const { mayImportVideo } = (await load('/src/vision/video-import.ts')) as typeof import('../../src/vision/video-import.ts');
  const adapter = await navigator.gpu.requestAdapter();
  const device = await adapter!.requestDevice();
  const preprocessors = new Map<boolean | undefined, ReturnType<typeof ImagePreprocessor.create>>();
  const preprocessorFor = (importsVideo?: boolean) => {
    const preprocessor = preprocessors.get(importsVideo) ?? ImagePreprocessor.create(device, 'f32', { importsVideo });
    preprocessors.set(importsVideo, preprocessor);
    return preprocessor;
  };

  const raw = new ImageData(37, 23);
  for (let i = 0; i < raw.data.length; i++) raw.data[i] = i % 4 === 3 ? 255 : (i * 7919) % 251;
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [raw.width, raw.height];
  canvas.getContext('2d')!.putImageData(raw, 0, 0);

  const run = async (image: ImageBitmap, size = 16, importsVideo?: boolean): Promise<number[] | string> => {
    const bytes = size * size * 16;
    const target = device.createBuffer({
      size: bytes,
      usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
    });
    const readback = device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    device.queue.writeBuffer(target, 0, new Float32Array(bytes / 4).fill(NaN));
    try {
      const preprocess = { size, mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255], color: 'rgb' as const };
      const preprocessor = await preprocessorFor(importsVideo);
      const prepared = await preprocessor.prepare([image], preprocess, { n: 1, h: size, w: size, c: 3 }, target);
      device.pushErrorScope('validation');
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      prepared.record(pass);
      pass.end();
      encoder.copyBufferToBuffer(target, 0, readback, 0, bytes);
      device.queue.submit([encoder.finish()]);
      prepared.release();
      const error = await device.popErrorScope();
      if (error) return `validation: ${error.message}`;
      await readback.mapAsync(GPUMapMode.READ);
      return [...new Float32Array(readback.getMappedRange())].map((x) => Math.round(x * 1000) / 1000);
    } catch (error) {
      const { code, name, message } = error as { code?: string; name: string; message: string };
      return `${code ?? name}: ${message}`;
    } finally {
      target.destroy();
      readback.destroy();
    }
  };
  const toRaw = async (image: ImageBitmap): Promise<number[] | string> => {
    try {
      const { width, height, data } = await toRawImage(image);
      return [width, height, ...data];
    } catch (error) {
      const { code, name, message } = error as { code?: string; name: string; message: string };
      return `${code ?? name}: ${message}`;
    }
  };
  const png = () => new Promise((resolve) => canvas.toBlob(resolve));
  const blobOf = (base64: string, type: string) =>
    new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], { type });
  const img = async (blob: Blob) => {
    const image = new Image();
    image.src = URL.createObjectURL(blob);
    await image.decode();
    return image;
  };
  Object.assign(globalThis, { bench: { device, preprocessorFor, toRaw, createPreprocessor: ImagePreprocessor.create, mayImportVideo, raw, canvas, run, png, blobOf, img, isImageSource } });
}

/** To evaluate in a page of the repository's root. */
export const prepareBench = `(${preparePage})((path) => import(path))`;

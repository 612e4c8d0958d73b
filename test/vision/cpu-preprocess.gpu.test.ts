/** The preprocessing on the processor gives what the GPU's does. */
import { beforeAll, expect, it } from 'vitest';
import { IMAGENET_PREPROCESS, type Preprocess } from '../../src/models/preprocess.ts';
import { preprocessOnCpu } from '../../src/vision/cpu-preprocess.ts';
import { ImagePreprocessor } from '../../src/vision/image-preprocessor.ts';
import type { RawImage } from '../../src/vision/image-source.ts';
import { packActivation } from '../../src/runtime/layout.ts';
import { useGpu } from '../support/gpu.ts';
import { awkwardResizes, readPhoto } from '../support/resize-fixtures.ts';
import { noise, plain, runPreprocessor } from '../support/run-preprocessor.ts';

const gpu = useGpu();
let preprocessor: ImagePreprocessor;
beforeAll(async () => {
  preprocessor = await ImagePreprocessor.create(gpu.engine.device);
});

/** In a few levels float32 and float64 round apart, by one level, which is 1 / (255 std). */
async function expectSame(images: readonly RawImage[], preprocess: Preprocess, h: number, w: number): Promise<void> {
  for (const flip of [false, true]) {
    const { shape, data } = preprocessOnCpu(images, preprocess, { width: w, height: h }, { flip });
    const imageShape = { n: images.length, h, w, c: shape[1] };
    const expected = packActivation(data, imageShape);
    const actual = await runPreprocessor(gpu.engine.device, preprocessor, images, preprocess, imageShape, { flip });
    expect(actual.length).toBe(expected.length);
    const apart = actual.map((value, i) => Math.abs(value - expected[i]) * 255 * (preprocess.std[i % 4] ?? 1));
    expect(apart.reduce((most, difference) => Math.max(most, difference), 0)).toBeLessThan(1.01);
    expect(apart.filter((difference) => difference > 0.01).length).toBeLessThanOrEqual(Math.max(1, 0.005 * apart.length));
  }
}

it.each(awkwardResizes)('%s', async (_name, image, size, h, w) => {
  for (const color of ['rgb', 'gray'] as const) await expectSame([image], plain(size, Math.min(h, w), color), h, w);
});

it('a photo, as ImageNet wants it', async () => expectSame([await readPhoto()], IMAGENET_PREPROCESS, 224, 224));

it('a batch, at another size than the crop', async () => expectSame([noise(61, 45, 4), noise(20, 90, 5)], plain(32, 28), 42, 14));

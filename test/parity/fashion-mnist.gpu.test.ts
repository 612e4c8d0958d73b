/**
 * The trained networks on the test images of Fashion-MNIST. All 10,000, with COMPCONV_ALL_IMAGES=1, against what PyTorch gets: five
 * minutes on a software adapter. Else the first 2,500, against what the engine got when it agreed with PyTorch on all.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import { createSession, readModel } from '../../src/index.ts';
import { networkCost } from '../../src/graph/cost.ts';
import { gunzip, parseIdx } from '../../src/vision/idx.ts';

interface Reference {
  readonly correctOf10000: number;
  /** Convolutions only: without the classifier's 64 x 10. */
  readonly macs: number;
  readonly params: number;
  readonly first8: { readonly logits: readonly (readonly number[])[] };
}

const data = (name: string) => readFileSync(new URL(`../data/${name}`, import.meta.url));
const reference = JSON.parse(data('reference.json').toString()) as Record<string, Reference>;
const BATCH = 250;
const FIRST = 2500;
/** Correct among the first 2,500, recorded in a run that got PyTorch's 9,181 and 9,305 of all. */
const CORRECT_OF_FIRST: Readonly<Record<string, number>> = { 'fashion-mnist-compconv.safetensors': 2307, 'fashion-mnist-plain.safetensors': 2343 };

test.each(Object.keys(reference))('%s', async (file) => {
  const images = parseIdx(await gunzip(data('t10k-images-idx3-ubyte.gz')));
  const labels = parseIdx(await gunzip(data('t10k-labels-idx1-ubyte.gz'))).data;
  const [all, height, width] = images.shape;
  const count = process.env.COMPCONV_ALL_IMAGES ? all : FIRST;
  const model = await readModel(readFileSync(new URL(`../../public/models/${file}`, import.meta.url)), { input: { batch: BATCH } });
  const { correctOf10000, macs, params, first8 } = reference[file];
  const { mean: [mean], std: [std] } = model.preprocess;

  const { adapter, describe } = await openNodeGpu();
  console.log(`adapter: ${describe}`);
  const session = await createSession(model, { adapter });
  let correct = 0;
  try {
    for (let first = 0; first < count; first += BATCH) {
      const pixels = images.data.subarray(first * height * width, (first + BATCH) * height * width);
      const input = Float32Array.from(pixels, (pixel) => (pixel / 255 - mean) / std);
      const { data: logits } = await session.run({ shape: [BATCH, 1, height, width], data: input });
      for (let i = 0; i < BATCH; i++) {
        const row = logits.subarray(i * 10, (i + 1) * 10);
        if (row.indexOf(Math.max(...row)) === labels[first + i]) correct++;
      }
      if (first === 0) {
        first8.logits.flat().forEach((expected, i) => expect(Math.abs(logits[i] - expected)).toBeLessThanOrEqual(1e-3));
      }
    }
  } finally {
    session.dispose();
  }
  const wanted = count === all ? correctOf10000 : CORRECT_OF_FIRST[file];
  console.log(`${file}: ${correct} of ${count}, expected ${wanted}`);
  expect(Math.abs(correct - wanted)).toBeLessThanOrEqual(2);
  const { total } = networkCost((await readModel(readFileSync(new URL(`../../public/models/${file}`, import.meta.url)))).graph);
  expect(total.macs - 640).toBe(macs);
  expect(total.params).toBe(params);
});

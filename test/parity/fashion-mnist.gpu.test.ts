/**
 * The trained networks on the test images of Fashion-MNIST, as pictures, against PyTorch's answers to the same files (`train/publish.py`):
 * all 10,000 with COMPCONV_ALL_IMAGES=1, many minutes on a software adapter; else the first few. Networks too large for the
 * project are tested where `train/` has made them.
 */
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import { createSession, readModel } from '../../src/index.ts';
import { networkCost } from '../../src/graph/cost.ts';
import type { Dtype } from '../../src/tensor/dtype.ts';
import { grayPictures, gunzip, parseIdx } from '../../src/vision/idx.ts';

interface Reference {
  /** By the file's own weights, in float32. */
  readonly correctOf10000: number;
  /** By the weights as they were trained, before F16 rounded them. */
  readonly trainedCorrectOf10000: number;
  readonly macs: number;
  readonly params: number;
  /** Of each image, a digit. */
  readonly answers: string;
  /** Of the first images. */
  readonly firstLogits: readonly (readonly number[])[];
}

const data = (name: string) => readFileSync(new URL(`../data/${name}`, import.meta.url));
const reference = JSON.parse(data('reference.json').toString()) as Record<string, Reference>;
const images = parseIdx(await gunzip(data('t10k-images-idx3-ubyte.gz')));
const labels = parseIdx(await gunzip(data('t10k-labels-idx1-ubyte.gz'))).data;
const BATCH = 250;
/** So much work without COMPCONV_ALL_IMAGES, in multiply-accumulates: seconds on a software adapter. */
const WORK = 4e9;

const fileOf = (name: string) => ['public/models', 'train/models'].map((folder) => new URL(`../../${folder}/${name}`, import.meta.url)).find((url) => existsSync(url));
const names = Object.keys(reference).filter(fileOf);
const { gpu, adapter } = await openNodeGpu();
const dtypes: readonly Dtype[] = adapter.features.has('shader-f16') ? ['f32', 'f16'] : ['f32'];

test.each(names.flatMap((name) => dtypes.map((dtype) => ({ name, dtype }))))('$name in $dtype', async ({ name, dtype }) => {
  const { correctOf10000, trainedCorrectOf10000, macs, params, answers, firstLogits } = reference[name];
  const file = readFileSync(fileOf(name)!);
  expect(networkCost((await readModel(file)).graph).total).toMatchObject({ macs, params });
  const all = labels.length;
  const count = process.env.COMPCONV_ALL_IMAGES ? all : Math.min(all, Math.ceil(WORK / macs / BATCH) * BATCH);

  const session = await createSession(await readModel(file, { batch: BATCH }), { gpu, dtype });
  console.log(`adapter: ${session.adapter.name}`);
  let [correct, same] = [0, 0];
  try {
    for (let first = 0; first < count; first += BATCH) {
      const { data: logits } = await session.run(grayPictures(images, first, first + BATCH));
      for (let i = 0; i < BATCH; i++) {
        const row = logits.subarray(i * 10, (i + 1) * 10);
        const answer = row.indexOf(Math.max(...row));
        correct += Number(answer === labels[first + i]);
        same += Number(answer === Number(answers[first + i]));
      }
      if (first === 0 && dtype === 'f32') firstLogits.flat().forEach((expected, i) => expect(Math.abs(logits[i] - expected)).toBeLessThanOrEqual(1e-3));
    }
  } finally {
    session.dispose();
  }

  const rightOf = (end: number) => [...labels.subarray(0, end)].filter((label, i) => label === Number(answers[i])).length;
  expect(rightOf(all)).toBe(correctOf10000);
  const expected = rightOf(count);
  console.log(`${name} in ${dtype}: ${correct} of ${count} right, in PyTorch ${expected}; ${count - same} answers differ`);
  // Two images, and in f16 a tenth of a point, of the weights as they were trained.
  if (dtype === 'f32') expect(Math.abs(correct - expected)).toBeLessThanOrEqual(2);
  else expect(Math.abs(correct - expected)).toBeLessThanOrEqual(Math.max(2, count / 1000));
  expect(Math.abs(correctOf10000 - trainedCorrectOf10000)).toBeLessThanOrEqual(all / 1000);
});

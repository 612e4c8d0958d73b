/** `compconv run`, `eval` and `export`, as their users meet them. */
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { type NetworkOptions } from '../../src/models/network.ts';
import type { Preprocess } from '../../src/models/preprocess.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { preprocessOnCpu } from '../../src/vision/cpu-preprocess.ts';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import { writeSafetensors } from '../../src/weights/write-safetensors.ts';
import { expectClose } from '../support/compare.ts';
import { readOnnx } from '../support/onnx-reader.ts';
import { runOnnx } from '../support/onnx-runtime.ts';
import { distinctValues } from '../support/random.ts';
import { at, compconv, expectFailure, file, idx, json, LABELS, PREPROCESS, reference, seededNetwork, small, SMALL, useCompconv } from './compconv.ts';

useCompconv();

describe('export', () => {
  test('a file of weights: onnxruntime gives the reference’s logits, and the file says what the weights’ says', async () => {
    const path = at('small.onnx');
    const summary = await json('export', '--weights', at('small.safetensors'), path, '--size', '20', '--batch', '2');
    const bytes = await readFile(path);
    const { graph, metadata_props: metadata } = readOnnx(bytes);
    expect(summary).toEqual({
      network: 'ResNetSmall14',
      options: { ...SMALL, innerBias: false },
      inputShape: [2, 1, 20, 20],
      outputShape: [2, 10],
      opset: 17,
      nodes: graph.node.length,
      byteLength: bytes.length,
      file: path,
    });
    const stored = new Map(metadata.map(({ key, value }) => [key, JSON.parse(value) as unknown]));
    expect(Object.fromEntries(stored)).toMatchObject({ compconv: SMALL, preprocess: PREPROCESS, labels: LABELS });
    const input = { shape: [2, 1, 20, 20], data: distinctValues(800, 4) };
    expectClose((await runOnnx(bytes, input)).data, reference(small, input).data, { relativeL2: 1e-5 });
  });

  test('made-up weights, for people', async () => {
    const path = await file('made.onnx', 'replaced');
    const flags = ['--arch', 'resnet_small14', '--c0', '16', '--seed', '3', '--out', path];
    const { status, stdout, stderr } = await compconv('export', ...flags);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const bytes = await readFile(path);
    const { graph } = readOnnx(bytes);
    expect(stdout).toBe(
      `CompConv16-ResNetSmall14: input [1, 1, 28, 28], output [1, 10], ${graph.node.length} nodes of opset 17\n` +
        `written to ${path}, ${(bytes.length / 1e3).toFixed(1)} kB\n`,
    );
    const input = { shape: [1, 1, 28, 28], data: distinctValues(784, 4) };
    const expected = reference(seededNetwork({ arch: 'resnet_small14', c0: 16 }, 3), input);
    expectClose((await runOnnx(bytes, input)).data, expected.data, { relativeL2: 1e-5 });
  });

  test('wrong input', async () => {
    const flags = ['export', '--arch', 'resnet_small14'];
    await expectFailure(2, 'export: give one file to write', ...flags, '--seed', '1');
    await expectFailure(2, 'export: give one file to write', ...flags, '--seed', '1', '--out', at('a.onnx'), at('b.onnx'));
    await expectFailure(2, 'export: give --weights with a file, or --seed', ...flags, at('a.onnx'));
    await expectFailure(2, /none\/a\.onnx: cannot be written: there is no such file or folder/, ...flags, '--seed', '1', at('none/a.onnx'));
    await expectFailure(2, 'use a larger input', 'export', '--arch', 'vgg11', '--seed', '1', '--size', '16', at('a.onnx'));
    const weights = await readFile(at('small.safetensors'));
    await expectFailure(2, /small\.safetensors: is read from, and would be overwritten/, 'export', '--weights', at('small.safetensors'), at('./small.safetensors'));
    expect(await readFile(at('small.safetensors'))).toEqual(weights);
  });
});

describe('run', () => {
  const input: Tensor = { shape: [2, 3, 40, 33], data: distinctValues(2 * 3 * 40 * 33, 5) };

  test('a tensor with seeded weights: the logits are the reference’s', async () => {
    await file('input.safetensors', writeSafetensors([['input', input]]));
    const options: NetworkOptions = { arch: 'resnet18', c0: 32, classes: 11, shuffleGroups: 1, inner: 'bn-relu' };
    const flags = '--arch resnet18 --c0 32 --classes 11 --shuffle-groups 1 --inner bn-relu --seed 9 --top 3'.split(' ');
    const result = await json(
      'run',
      ...flags,
      '--input',
      at('input.safetensors'),
      '--output',
      at('logits.safetensors'),
    );

    const written = parseSafetensors(await readFile(at('logits.safetensors')));
    expect([...written.shapes]).toEqual([['logits', [2, 11]]]);
    const logits = written.get('logits');
    const expected = reference(seededNetwork(options, 9), input);
    expectClose(logits.data, expected.data, { relativeL2: 1e-5 });
    for (const [row, image] of (result['images'] as { top: { index: number; score: number }[] }[]).entries()) {
      const scores = [...expected.data.subarray(11 * row, 11 * row + 11)];
      expect(image.top).toHaveLength(3);
      expect(scores.indexOf(Math.max(...scores))).toBe(image.top[0].index);
    }
    expect(Object.keys(result)).toEqual(
      expect.arrayContaining(['adapter', 'software', 'macs', 'params', 'dispatches', 'latencyMs']),
    );
    // The time is the batch's, not each image's.
    expect(Object.keys(result['images'][0])).toEqual(['image', 'top']);
    const two = await file('two.safetensors', writeSafetensors([['input', { shape: [2, 1, 8, 8], data: distinctValues(128, 1) }]]));
    const { stdout } = await compconv('run', '--weights', at('small.safetensors'), '--input', two);
    expect(stdout).toMatch(/ MACs for a batch of 2, /);
    expect(stdout.match(/ ms/g)).toHaveLength(stdout.includes('on the GPU') ? 2 : 1);
    await expectFailure(2, /input\.safetensors: is read from/, 'run', ...flags, '--input', at('input.safetensors'), '--output', at('input.safetensors'));
  });

  test('image files, upright, in any colour format, with labels and preprocessing of the weights file', async () => {
    // 28x28 as the network takes it: no resampling, so that the reference can be given the same pixels.
    const gray = Uint8Array.from({ length: 28 * 28 }, (_, i) => (i * 37 + (i >> 3)) % 256);
    const image = sharp(gray, { raw: { width: 28, height: 28, channels: 1 } });
    await image.clone().png().toFile(at('gray.png'));
    await image.clone().toColourspace('srgb').ensureAlpha(0.5).png().toFile(at('rgba.png'));
    // Stored on its side, with the EXIF orientation that puts it upright: 6, turn clockwise to show.
    await image.clone().rotate(270).withMetadata({ orientation: 6 }).webp({ lossless: true }).toFile(at('turned.webp'));

    const paths = ['gray.png', 'rgba.png', 'turned.webp'].map(at);
    const result = await json(
      'run',
      '--weights',
      at('small.safetensors'),
      ...paths,
      '--output',
      at('images.safetensors'),
    );
    const input = Float32Array.from(gray, (pixel) => (pixel / 255 - 0.25) / 0.5);
    const expected = reference(small, { shape: [1, 1, 28, 28], data: input });
    const { shape, data } = parseSafetensors(await readFile(at('images.safetensors'))).get('logits');
    expect(shape).toEqual([3, 10]);
    const best = expected.data.indexOf(Math.max(...expected.data));
    for (let i = 0; i < 3; i++) {
      expectClose(data.subarray(10 * i, 10 * i + 10), expected.data, { relativeL2: 1e-4 }, paths[i]);
      expect(result['images'][i].image).toBe(paths[i]);
      expect(result['images'][i].top[0]).toMatchObject({ index: best, label: `kind ${best}` });
    }
    // For people.
    const { status, stdout } = await compconv('run', '--weights', at('small.safetensors'), paths[0], '--top', '1');
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`gray\\.png .* ms[^]*%  kind ${best}\n$`));
  });
});

test('eval: counts, logits and batches that do not divide', async () => {
  const images = Array.from({ length: 5 * 28 * 28 }, (_, i) => (i * 101 + (i >> 5)) % 256);
  const data = Float32Array.from(images, (pixel) => (pixel / 255 - 0.25) / 0.5);
  const logits = reference(small, { shape: [5, 1, 28, 28], data });
  const rows = Array.from({ length: 5 }, (_, i) => [...logits.data.subarray(10 * i, 10 * i + 10)]);
  const answers = rows.map((row) => row.indexOf(Math.max(...row)));
  const wrong = (answers[4] + 1) % 10;
  await file('images.gz', gzipSync(idx([5, 28, 28], images)));
  await file('labels', idx([5], [...answers.slice(0, 4), wrong]));

  const flags = [
    '--weights',
    at('small.safetensors'),
    '--images',
    at('images.gz'),
    '--labels',
    at('labels'),
    '--batch',
    '2',
  ];
  const result = await json('eval', ...flags);
  expect(result).toMatchObject({ correct: 4, total: 5, accuracy: 0.8, batch: 2 });
  expectClose((result['firstLogits'] as number[][]).flat(), rows.flat(), { relativeL2: 1e-5 });
  // The last label is none of the network's ten classes, which only matters where it is used.
  const foreign = await file('foreign-labels', idx([5], [...answers.slice(0, 4), 10]));
  expect(await json('eval', ...flags, '--labels', foreign, '--limit', '4')).toMatchObject({ correct: 4, total: 4, accuracy: 1 });
  await expectFailure(2, `${foreign}: label 10 (image 4), but the network has 10 classes`, 'eval', ...flags, '--labels', foreign);
});

test('eval: images of another size, for a network of three channels', async () => {
  const options: NetworkOptions = { ...SMALL, inChannels: 3 };
  const network = seededNetwork(options, 4);
  const preprocess: Preprocess = { size: 12, mean: [0.2, 0.3, 0.4], std: [0.5, 0.6, 0.7], color: 'rgb' };
  const tensors = [...network.weights.shapes.keys()].map((name) => [name, network.weights.get(name)] as const);
  const weights = await file('rgb.safetensors', writeSafetensors(tensors, { compconv: JSON.stringify(options), preprocess: JSON.stringify(preprocess) }));
  const pixels = Array.from({ length: 3 * 10 * 10 }, (_, i) => (i * 37 + (i >> 3)) % 256);
  const rgba = (image: number) => Uint8Array.from(pixels.slice(100 * image, 100 * image + 100).flatMap((level) => [level, level, level, 255]));
  const pictures = [0, 1, 2].map((image) => ({ width: 10, height: 10, data: rgba(image) }));
  const logits = reference(network, preprocessOnCpu(pictures, preprocess, { width: 12, height: 12 }));

  const [images, labels] = [await file('ten', idx([3, 10, 10], pixels)), await file('three-labels', idx([3], [0, 0, 0]))];
  const result = await json('eval', '--weights', weights, '--images', images, '--labels', labels);
  expect(result).toMatchObject({ total: 3 });
  // The adapter's resize is within a level of 255.
  expectClose((result['firstLogits'] as number[][]).flat(), [...logits.data], { relativeL2: 5e-3 });
});

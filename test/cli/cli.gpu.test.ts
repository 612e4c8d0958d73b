/** The bundled command line as its users meet it: a child process with arguments, output and an exit status. */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BenchReport } from '../../bench/report.ts';
import { parseSearch } from '../../bench/search/report.ts';
import { createNetwork, type NetworkOptions } from '../../src/models/network.ts';
import type { Preprocess } from '../../src/models/preprocess.ts';
import { graphParams, withInputShape, type Graph } from '../../src/graph/graph.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { preprocessOnCpu } from '../../src/vision/cpu-preprocess.ts';
import { parseSafetensors, writeSafetensors } from '../../src/weights/safetensors.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import type { Weights } from '../../src/weights/weights.ts';
import { reportProblems } from '../bench/report-schema.ts';
import { expectClose } from '../support/compare.ts';
import { readOnnx } from '../support/onnx-reader.ts';
import { runOnnx } from '../support/onnx-runtime.ts';
import { distinctValues } from '../support/random.ts';
import { runNode, type Outcome } from '../support/run-node.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Inside the repository, so that the bundle finds `webgpu` and `sharp`.
const bundleFolder = join(root, `node_modules/.cache/compconv/cli-test-${process.pid}`);
const bundle = join(bundleFolder, 'cli.mjs');
let folder: string;

const compconv = (...args: string[]) => runNode([bundle, ...args]);

/** Runs it with `--json`; fails unless that goes well and prints one object and nothing else. */
async function json(...args: string[]): Promise<Record<string, any>> {
  const { status, stdout, stderr } = await compconv(...args, '--json');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as Record<string, any>;
}

/** Fails unless it ends with the status and one line on standard error. */
async function expectFailure(status: number, message: string | RegExp, ...args: string[]): Promise<void> {
  const outcome = await compconv(...args);
  expect(outcome.stderr).toMatch(message);
  expect(outcome.stderr).toMatch(/^compconv: [^\n]+\n$/);
  expect({ status: outcome.status, stdout: outcome.stdout }).toEqual({ status, stdout: '' });
}

const at = (name: string) => join(folder, name);

async function file(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(at(name), content);
  return at(name);
}

function seededNetwork(options: NetworkOptions, seed: number): { graph: Graph; weights: Weights } {
  const graph = createNetwork(options);
  return { graph, weights: seededWeights(graphParams(graph), seed) };
}

/** The reference's logits, of any input size. */
function reference({ graph, weights }: { graph: Graph; weights: Weights }, input: Tensor): Tensor {
  const [n, c, h, w] = input.shape;
  const sized = withInputShape(graph, { n, h, w, c });
  return toTensor(runReference(sized, weights, input).get(sized.output)!);
}

/** Unsigned bytes as an IDX file. */
function idx(shape: readonly number[], data: readonly number[]): Uint8Array {
  const header = new DataView(new ArrayBuffer(4 + 4 * shape.length));
  header.setUint32(0, 0x0800 + shape.length);
  shape.forEach((size, i) => header.setUint32(4 + 4 * i, size));
  return Uint8Array.from([...new Uint8Array(header.buffer), ...data]);
}

/** Plain, so that it has few pipelines to compile: a software adapter takes a while for each. */
const SMALL: NetworkOptions = { arch: 'resnet_small14', widths: [5, 6, 8], blocksPerStage: 1 };
const small = seededNetwork(SMALL, 3);
const PREPROCESS = { size: 28, mean: [0.25], std: [0.5], color: 'gray' };
const LABELS = Array.from({ length: 10 }, (_, i) => `kind ${i}`);

beforeAll(async () => {
  await mkdir(bundleFolder, { recursive: true });
  folder = await mkdtemp(join(tmpdir(), 'compconv-cli-'));
  const built = await runNode([
    join(root, 'node_modules/vite/bin/vite.js'),
    'build',
    '--mode',
    'cli',
    '--outDir',
    bundleFolder,
  ]);
  expect(built.status, built.stderr).toBe(0);
  await file(
    'small.safetensors',
    writeSafetensors(
      [...small.weights.shapes.keys()].map((name) => [name, small.weights.get(name)]),
      { compconv: JSON.stringify(SMALL), preprocess: JSON.stringify(PREPROCESS), labels: JSON.stringify(LABELS) },
    ),
  );
});

afterAll(async () => {
  await rm(bundleFolder, { recursive: true, force: true });
  if (folder) await rm(folder, { recursive: true });
});

test('only optional packages are left out of the bundle', async () => {
  const code = await readFile(bundle, 'utf8');
  const imports = [...code.matchAll(/(?:^import\b[^'"\n]*|\bawait import\()\s*["']([^"']+)["']/gm)].map(
    ([, name]) => name,
  );
  const foreign = new Set(imports.filter((name) => !isBuiltin(name)));
  expect([...foreign].sort()).toEqual(['playwright-core', 'sharp', 'webgpu']);
  expect(code.startsWith('#!/usr/bin/env node\n')).toBe(true);
});

describe('without a GPU', () => {
  test('help and version', async () => {
    expect(await compconv('--version')).toMatchObject({ status: 0, stdout: '0.1.0\n' });
    const { status, stdout } = await compconv('run', '--help');
    expect(status).toBe(0);
    for (const option of ['--weights', '--seed', '--input', '--output', '--top', '--c0', '--depths', '--plain'])
      expect(stdout).toContain(option);
  });

  test('info gives the figures of the spec', async () => {
    const info = await json('info', '--arch', 'resnet50', '--c0', '128', '--layers');
    expect(info).toMatchObject({
      network: 'CompConv128-ResNet50',
      inputShape: [1, 3, 224, 224],
      macs: 1447670402,
      flops: 2895340804,
      params: 8613872,
      weightBytes: 4 * 8613872,
    });
    const layers = info['layers'] as { name: string; depth?: number; macs: number }[];
    expect(layers.reduce((sum, { macs }) => sum + macs, 0)).toBe(1447670402);
    expect(layers.find(({ name }) => name === 'layer3.1.conv1')).toMatchObject({
      op: 'comp-conv',
      depth: 3,
      outputShape: [1, 256, 14, 14],
    });
    const { stdout } = await compconv('info', '--arch', 'resnet50', '--plain');
    expect(stdout).toMatch(/MACs +4,089,184,256\n/);
    expect(
      await json('info', '--weights', 'public/models/fashion-mnist-compconv.safetensors', '--batch', '2'),
    ).toMatchObject({
      options: { arch: 'resnet_small14', c0: 16 },
      inputShape: [2, 1, 28, 28],
      params: 49896,
    });
  });

  test('info tells what the weights take as f32 from the size of their file', async () => {
    const half = [...small.weights.shapes.keys()].map((name) => [name, small.weights.get(name)] as const);
    const path = await file('half.safetensors', writeSafetensors(half, { compconv: JSON.stringify(SMALL) }, 'F16'));
    const { size } = await stat(path);
    const { params, weightBytes, fileBytes } = await json('info', '--weights', path);
    expect({ weightBytes, fileBytes }).toEqual({ weightBytes: 4 * params, fileBytes: size });
    const { stdout } = await compconv('info', '--weights', path);
    expect(stdout).toContain(`weights      ${(weightBytes / 1e3).toFixed(1)} kB as f32\nfile         ${(size / 1e3).toFixed(1)} kB\n`);
    expect(await json('info', '--arch', 'resnet18')).not.toHaveProperty('fileBytes');
  });

  test('plan', async () => {
    const plan = await json('plan', '--arch', 'resnet18', '--c0', '128', '--size', '64');
    expect(plan['steps']).toHaveLength(plan['dispatches']);
    expect(plan['steps'][0]).toMatchObject({
      label: 'conv1.primitive',
      outputs: [{ value: 'relu', shape: [1, 32, 32, 64] }, { value: 'conv1.primitive', shape: [1, 32, 32, 32] }],
    });
    const passes = await json('plan', '--arch', 'resnet18', '--c0', '128', '--passes', '--without', 'free-slices', 'merge-grows');
    expect(passes['passes'].map(({ pass }: { pass: string }) => pass)).toEqual([
      'fuse-epilogues',
      'free-shuffle',
      'scale-tails',
      'zero-copy-concat',
      'collapse-modules',
      'fuse-tails',
      'fuse-modules',
      'settle-layouts',
    ]);
    const { stdout } = await compconv('plan', '--arch', 'resnet18', '--c0', '128', '--size', '64');
    expect(stdout).toContain(
      `\n${plan['dispatches']} dispatches, ${plan['pipelines']} pipelines, ${plan['macs']} MACs\n`,
    );
  });

  test('a reader that stops early is no failure', async () => {
    const outcome = await runNode([bundle, 'plan', '--arch', 'resnet152', '--c0', '64'], ({ stdout }) =>
      stdout!.destroy(),
    );
    expect(outcome).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});

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

describe('bench', () => {
  const TINY = ['bench', '--arch', 'resnet_small14', '--c0', '32', '--runs', '2', '--size', '16'];

  test('verifies, then times plain against CompConv', async () => {
    const report = await json(...TINY);
    const [plain, compact] = report['networks'] as Record<string, any>[];
    expect(reportProblems(report)).toEqual([]);
    expect(report).toMatchObject({ options: { runs: 2, seed: 1, size: 16, sections: ['times'], peers: [] } });
    expect(report).not.toHaveProperty('peers');
    expect(report['versions']).toMatchObject({
      engine: '0.1.0',
      node: process.version,
      webgpu: expect.stringMatching(/^\d+\.\d+/) as string,
    });
    for (const network of [plain, compact]) {
      expect(network).toMatchObject({ verified: true, baseline: plain['label'], inputShape: [1, 1, 16, 16], verifySize: 16 });
      const { times, plan, load } = network;
      expect(times).toMatchObject({ latencyMs: { n: 2 }, encodeMs: { n: 2 }, submits: 1 });
      expect(Math.min(...(times.latencySamplesMs as number[]))).toBe(times.latencyMs.min);
      expect(times.encodeMs.median).toBeLessThan(times.latencyMs.median);
      expect(plan.moves).toBe(0);
      expect(plan.activationRatio).toBe(plan.activationBytes / plan.activationLowerBoundBytes);
      expect(load.weightsMs).toBeGreaterThan(0);
      expect(load.weightsMs).toBeLessThan(load.uploadMs);
      expect(network).not.toHaveProperty('layers');
      expect(network['relativeError']).toBeLessThan(1e-5);
      expect(times.latencyMs.min).toBeGreaterThan(0);
      expect(load.totalMs).toBeGreaterThan(load.firstRunMs);
    }
    expect(compact['macsRatio']).toBe(plain['macs'] / compact['macs']);
    expect(compact['speedUp']).toBe(plain['times'].latencyMs.median / compact['times'].latencyMs.median);
    const macs = (compact['graphLayers'] as Record<string, any>[]).map((layer) => layer['macs'] as number);
    expect(macs.reduce((sum, value) => sum + value, 0)).toBe(compact['macs']);
  });

  test('everything, as text and as a file in a folder', async () => {
    const out = join(folder, 'reports/');
    const { status, stdout, stderr } = await compconv(...TINY, '--without', 'merge-grows', '--all', '--out', out);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    for (const text of ['empty dispatches', 'GFLOP/s', 'copy: read', 'moves', 'over bound', 'encode + submit', 'of roofline', '4.2x', '8.2x'])
      expect(stdout).toContain(text);
    const [name] = await readdir(out);
    expect(name).toMatch(/^[a-z0-9-]+-\d{4}-\d\d-\d\d\.json$/);
    expect(stdout).toContain(`written to ${join(out, name)}\n`);
    const report = JSON.parse(await readFile(join(out, name), 'utf8')) as BenchReport;
    expect(reportProblems(report)).toEqual([]);
    expect(report.options.withoutPasses).toEqual(['merge-grows']);
    for (const { layers, scaling, plan, macs, graphLayers } of report.networks) {
      const { dispatches } = plan!;
      const names = graphLayers.map(({ name }) => name);
      expect(layers!.dispatches.every(({ layer }) => names.includes(layer))).toBe(true);
      expect(layers!.dispatches).toHaveLength(dispatches);
      expect(layers!.dispatches.reduce((sum, layer) => sum + layer.macs, 0)).toBe(macs);
      expect(layers!.kernels.reduce((sum, kernel) => sum + kernel.dispatches, 0)).toBe(dispatches);
      expect(scaling!.base).toMatchObject({ size: 16, batch: 1 });
      expect(scaling!.ratios).toMatchObject([
        { point: { size: 32, batch: 1 }, workRatio: 4, bar: 4.2 },
        { point: { size: 16, batch: 8 }, workRatio: 8, bar: 8.2 },
      ]);
    }
  });

  test('the adapter alone', async () => {
    const limits = await json('bench', '--adapter');
    expect(reportProblems(limits)).toEqual([]);
    expect(limits).toMatchObject({ networks: [], options: { sections: ['adapter'] } });
  });

  test('a place that cannot be written is told before anything is measured', async () => {
    await expectFailure(2, /none\/x\.json: cannot be written: there is no such file or folder/, ...TINY, '--out', at('none/x.json'));
  });

  test.each(['--batch=1', '--layers'])('Ctrl-C ends it with 130 and no word, %s', async (flag) => {
    const flags = [bundle, ...TINY, flag, '--runs', '1000000'];
    const outcome = await runNode(flags, (child) => setTimeout(() => child.kill('SIGINT'), 3000));
    expect(outcome).toEqual({ status: 130, stdout: '', stderr: '' });
  });
});

describe('search', () => {
  test('measures, chooses, and writes depths that other commands take', async () => {
    const [depths, out] = [at('depths.json'), at('search.json')];
    const flags = ['--weights', at('small.safetensors'), '--size', '12', '--params-budget', '0.8', '--out', depths, '--report', out];
    const report = await json('search', ...flags);
    expect(JSON.parse(await readFile(out, 'utf8'))).toEqual(report);
    expect(parseSearch(JSON.stringify(report))).toMatchObject({ network: small.graph.name, inputShape: [1, 1, 12, 12], objective: 'latency' });
    expect(JSON.parse(await readFile(depths, 'utf8'))).toEqual(report['depths']);
    expect(report['searched'].params).toBeLessThan(report['plain'].params);
    for (const name of ['plain', 'searched']) expect(Math.min(report[name].predictedMs, report[name].measuredMs)).toBeGreaterThan(0);
    // Two groups do not divide five channels.
    expect(report['layers'].find(({ layer }: { layer: string }) => layer === 'conv1').options).toHaveLength(1);
  });

  test.each([
    [[], 2, /which network\? Give --arch, or --weights/],
    [['--arch', 'resnet18', '--budget', '1.5'], 2, /at most 1/],
    [['--arch', 'resnet18', '--budget', '0.5', '--params-budget', '0.5'], 2, /cannot be used with/],
    [['--arch', 'resnet18', '--sensitivity', 'none.json'], 2, /none\.json/],
    [['--arch', 'resnet18', '--cache', 'x.json'], 2, /--cache names a file for --tuned/],
    [['--arch', 'resnet18', '--out', 'nowhere/depths.json'], 2, /nowhere\/depths\.json: cannot be written/],
  ] as const)('%j is refused', (args, status, message) => expectFailure(status, message, 'search', ...args));
});

describe('tune', () => {
  test('finds kernels once; --tuned takes them, and says so where there are none', async () => {
    const path = await file('tuning.json', 'no JSON');
    const flags = ['--weights', at('small.safetensors'), '--cache', path];
    const first = await compconv('tune', ...flags, '--size', '16', '--json');
    expect(first.status).toBe(0);
    expect(first.stderr).toBe(
      `compconv: ${path}: is no file of tuning results; it is ignored, and becomes ${path}.bak when something is tuned\n`,
    );
    const report = JSON.parse(first.stdout) as Record<string, any>;
    expect(report).toMatchObject({ network: small.graph.name, inputShape: [1, 1, 16, 16], fromCache: false, problems: [] });
    expect(report['signatures'].length).toBeGreaterThan(2);
    for (const { timesMs, chosen } of report['signatures'] as { timesMs: Record<string, number>; chosen: string }[]) {
      expect(timesMs[chosen]).toBeGreaterThan(0);
    }
    // Known now; for people.
    const again = await compconv('tune', ...flags, '--size', '16');
    expect(again).toMatchObject({ status: 0, stderr: '' });
    expect(again.stdout).toMatch(/^adapter .*\nnetwork .*, input \[1, 1, 16, 16\]\n[^]*conv2d.* ms .*known\n[^]* chosen[^]*: .* untuned, .* tuned/);

    const square = (side: number): Tensor => ({ shape: [1, 1, side, side], data: distinctValues(side * side, 1) });
    const run = async (side: number) => {
      const input = await file(`${side}.safetensors`, writeSafetensors([['input', square(side)]]));
      return ['run', ...flags, '--input', input, '--output', at('tuned.safetensors'), '--tuned'];
    };
    await json(...(await run(16)));
    const { data } = parseSafetensors(await readFile(at('tuned.safetensors'))).get('logits');
    expectClose(data, reference(small, square(16)).data, { relativeL2: 1e-5 });
    await expectFailure(2, /--tuned: nothing is known of .*; run "compconv tune" first/, ...(await run(20)));
  });

  test('Ctrl-C ends it with 130 and no word', async () => {
    const flags = [bundle, 'tune', '--arch', 'resnet50', '--size', '96', '--no-cache'];
    const outcome = await runNode(flags, (child) => setTimeout(() => child.kill('SIGINT'), 5000));
    expect(outcome).toEqual({ status: 130, stdout: '', stderr: '' });
  });
});

describe('errors are one line, with status 2 for what the user gave', () => {
  const RUN = ['run', '--arch', 'resnet18', '--plain', '--seed', '1'];

  test.each<[string, string | RegExp, string[]]>([
    ['no command', 'which command?', []],
    ['an unknown command', "unknown command 'walk'", ['walk']],
    ['an unknown flag', /unknown option '--arhc'.*--arch/, ['info', '--arhc', 'resnet18']],
    ['a bad number', 'It must be an integer from 1', ['info', '--arch', 'resnet18', '--size', 'big']],
    ['an unknown architecture', 'unknown architecture "resnet19"; known are resnet18', ['info', '--arch', 'resnet19']],
    ['neither weights nor seed', 'give --weights with a file, or --seed', ['run', '--arch', 'resnet18', 'x.png']],
    ['neither images nor a tensor', 'give either image files or --input', RUN],
    [
      'both weights and seed',
      "option '--seed <n>' cannot be used with option '--weights <file>'",
      [...RUN, '--weights', 'x', 'x.png'],
    ],
    [
      'a missing weights file',
      'nowhere.safetensors: cannot be read: there is no such file',
      ['info', '--weights', 'nowhere.safetensors'],
    ],
    ['a missing image', 'nowhere.png: cannot be read: there is no such file', [...RUN, 'nowhere.png']],
    ['a folder for a file', 'cannot be read: it is a folder', ['info', '--weights', root]],
  ])('%s', async (_what, message, args) => expectFailure(2, message, ...args));

  test('malformed files', async () => {
    const bad = await file('bad.safetensors', 'no header here, just text');
    await expectFailure(2, `${bad}: safetensors: the header claims`, 'info', '--weights', bad);
    await expectFailure(2, `${bad}: safetensors: the header claims`, ...RUN, '--input', bad);
    await expectFailure(2, 'cannot be decoded as an image', ...RUN, bad);
    const named = await file('named.safetensors', writeSafetensors([['x', { shape: [1], data: Float32Array.of(1) }]]));
    await expectFailure(2, 'must hold one tensor called "input", got "x"', ...RUN, '--input', named);
    const flat = await file(
      'flat.safetensors',
      writeSafetensors([['input', { shape: [2], data: Float32Array.of(1, 2) }]]),
    );
    await expectFailure(2, '"input" must be [N, C, H, W]', ...RUN, '--input', flat);
    const images = await file('idx', idx([1], [7]));
    await expectFailure(
      2,
      'are --images and --labels swapped?',
      'eval',
      '--weights',
      bad,
      '--images',
      images,
      '--labels',
      images,
    );
  });

  test('weights of another network: what is missing, cut short', async () => {
    const message = /do not fit: \d+ missing, .*; missing \(\d+\): conv1\.weight .* and \d+ more; unexpected/;
    await expectFailure(2, message, 'info', '--weights', 'public/models/fashion-mnist-compconv.safetensors', '--plain');
  });

  test('depths that are not feasible, or of no layer', async () => {
    const infeasible = await file('infeasible.json', '{"conv1": 3}');
    await expectFailure(
      2,
      /conv1: depth 3 needs .* the deepest feasible depth is 1/,
      'info',
      '--arch',
      'resnet18',
      '--depths',
      infeasible,
    );
    const unknown = await file('unknown.json', '{"layer9": 1}');
    await expectFailure(2, 'no plain convolution "layer9"', 'plan', '--arch', 'resnet18', '--depths', unknown);
  });
});

test('without an adapter: status 1 and what to install', async () => {
  const child = await new Promise<Outcome>((resolve) => {
    const env = { ...process.env, VK_DRIVER_FILES: '/nonexistent.json' };
    const started = spawn(process.execPath, [bundle, 'bench', '--arch', 'resnet_small14'], { cwd: root, env });
    let stderr = '';
    started.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    started.once('close', (status) => resolve({ status, stdout: '', stderr }));
  });
  expect(child.status).toBe(1);
  // The Vulkan loader complains before, on its own.
  expect(child.stderr).toMatch(/^compconv: no WebGPU adapter: .*VK_DRIVER_FILES.*\n$/m);
  expect(child.stderr).not.toContain('.mjs:');
});

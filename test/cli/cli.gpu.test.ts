/** The command line as its users meet it: what needs no GPU, and what is refused. */
import { spawn } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { describe, expect, test } from 'vitest';
import { writeSafetensors } from '../../src/weights/write-safetensors.ts';
import { runNode, type Outcome } from '../support/run-node.ts';
import { bundle, compconv, expectFailure, file, idx, json, small, SMALL, root, useCompconv } from './compconv.ts';

useCompconv();

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

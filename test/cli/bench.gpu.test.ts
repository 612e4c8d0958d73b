/** `compconv bench`, `search` and `tune`, as their users meet them. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { BenchReport } from '../../bench/report.ts';
import { parseSearch } from '../../bench/search/report.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import { writeSafetensors } from '../../src/weights/write-safetensors.ts';
import { reportProblems } from '../bench/report-schema.ts';
import { expectClose } from '../support/compare.ts';
import { distinctValues } from '../support/random.ts';
import { runNode } from '../support/run-node.ts';
import { at, bundle, compconv, expectFailure, file, folder, json, reference, small, useCompconv } from './compconv.ts';

useCompconv();

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

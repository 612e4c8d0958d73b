/** `compconv bench --browser` and `--peers`: the bundled command drives the built page in headless Chromium. */
import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BenchReport } from '../../bench/report.ts';
import { reportProblems } from '../bench/report-schema.ts';
import { runNode } from '../support/run-node.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Inside the repository, so that the bundle finds `playwright-core`.
const folder = join(root, `node_modules/.cache/compconv/bench-page-test-${process.pid}`);
const TINY = ['bench', '--arch', 'resnet_small14', '--c0', '16', '--size', '16', '--runs', '1'];

const compconv = (...args: string[]) => runNode([join(folder, 'cli.mjs'), ...args]);

beforeAll(async () => {
  const vite = join(root, 'node_modules/vite/bin/vite.js');
  const build = async (...flags: string[]) => {
    const { status, stderr } = await runNode([vite, 'build', '--logLevel', 'error', ...flags]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  };
  await build('--mode', 'cli', '--outDir', folder);
  await build('--outDir', join(folder, 'page'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

test('the report is the page’s: our networks, and another engine beside them', async () => {
  const { status, stdout, stderr } = await compconv(...TINY, '--peers', 'ort-wasm', '--json');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const report = JSON.parse(stdout) as BenchReport;
  expect(reportProblems(report)).toEqual([]);
  expect(report.options).toMatchObject({ size: 16, runs: 1, peers: ['ort-wasm'], sections: ['times'] });
  expect(report.versions['browser']).toMatch(/chrom/i);
  // Threads, since the page is isolated from other origins.
  expect(report.versions['isolation']).toMatch(/^isolated/);
  const labels = ['ResNetSmall14', 'CompConv16-ResNetSmall14'];
  expect(report.networks.map(({ label, verified }) => [label, verified])).toEqual(labels.map((label) => [label, true]));
  expect(report.peers!.map(({ label }) => label)).toEqual(labels);
  for (const peer of report.peers!) {
    const ours = report.networks.find(({ label }) => label === peer.label)!;
    expect(peer).toMatchObject({ peer: 'ort-wasm', verified: true, isBest: true });
    expect(peer.relativeError).toBeLessThan(1e-4);
    expect(peer.timesOurs).toBe(peer.times!.latencyMs.median / ours.times!.latencyMs.median);
  }
});

test('Ctrl-C ends the browser too, with 130 and no word', async () => {
  const outcome = await runNode([join(folder, 'cli.mjs'), ...TINY, '--browser', '--runs', '1000000'], (child) =>
    setTimeout(() => child.kill('SIGINT'), 5000),
  );
  expect(outcome).toEqual({ status: 130, stdout: '', stderr: '' });
});

test('what cannot be asked for is said before a browser starts', async () => {
  const wrong = async (...flags: string[]) => {
    const { status, stderr } = await compconv('bench', ...flags);
    expect({ status, lines: stderr.trim().split('\n').length }).toEqual({ status: 2, lines: 1 });
    return stderr;
  };
  expect(await wrong('--peers', 'tensorrt')).toContain('--peers: must be one of ort-web, ort-wasm, tfjs, got "tensorrt"');
  expect(await wrong('--arch', 'resnet50,resnet51', '--browser')).toContain('--arch: must be one of resnet18');
  expect(await wrong('--browser', '--tuned')).toContain('--tuned is for Node');
  const page = join(folder, 'page');
  await rename(page, `${page}-away`);
  try {
    expect(await wrong('--browser')).toContain('there is no benchmark page; in a clone of the repository "npm run build" makes it');
  } finally {
    await rename(`${page}-away`, page);
  }
});

/** `npm run bench:browser` in Chromium: the same options and the same report as in Node. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { main } from '../../bench/browser.ts';
import type { BenchReport } from '../../bench/report.ts';
import { reportProblems } from './report-schema.ts';

test('layers and scaling of a small network', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'compconv-bench-'));
  try {
    const flags = '--arch resnet_small14 --c0 16 --size 16 --runs 1 --layers --scaling'.split(' ');
    vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    expect(await main([...flags, '--out', folder])).toBe(0);
    const [name] = await readdir(folder);
    const report = JSON.parse(await readFile(join(folder, name), 'utf8')) as BenchReport;
    expect(reportProblems(report)).toEqual([]);
    expect(report.limits!.clock === 'timestamp-query').toBe(report.limits!.timestampStepNs !== undefined);
    expect(report.versions.chromium).toMatch(/^\d+\./);
    for (const network of report.networks) {
      expect(network.verified).toBe(true);
      expect(network).not.toHaveProperty('latencyMs');
      expect(network.layers!.dispatches).toHaveLength(network.dispatches);
      expect(network.scaling!.ratios).toHaveLength(2);
    }
  } finally {
    vi.restoreAllMocks();
    await rm(folder, { recursive: true });
  }
});

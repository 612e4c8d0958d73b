/** What a report says: findings, caveats, CSV, Markdown. */
import { csvParse } from 'd3-dsv';
import { describe, expect, test } from 'vitest';
import type { BenchReport, BenchResult } from '../../../bench/report.ts';
import { describeCaveats } from '../../../bench/report/caveats.ts';
import { layersCsv, networksCsv } from '../../../bench/report/csv.ts';
import { describeFindings, describePeers } from '../../../bench/report/findings.ts';
import { reportMarkdown } from '../../../bench/report/markdown.ts';
import { summarize } from '../../../bench/statistics.ts';
import { reportProblems } from '../report-schema.ts';
import { madeReport } from '../made-report.ts';

const small = { networks: ['resnet_small14'], c0: [16] };
const report = madeReport(small);

test('made reports fit the schema', () => expect(reportProblems(report)).toEqual([]));

/** The report with another speed-up: the twin's times are scaled. */
function withSpeedUp(speedUp: number): BenchReport {
  const [plain, own] = report.networks;
  const samples = plain.times!.latencySamplesMs.map((ms) => ms / speedUp);
  const times = { ...own.times!, latencyMs: summarize(samples), latencySamplesMs: samples };
  return { ...report, networks: [plain, { ...own, times, speedUp }] };
}

/** As the harness leaves a network that is wrong. */
function failed({ load: _l, times: _t, speedUp: _s, layers: _y, scaling: _c, ...network }: BenchResult): BenchResult {
  return {
    ...network,
    verified: false,
    relativeError: 0.0312,
    problem: 'relative error 3.1e-2 against the CPU reference is above 1e-5',
  };
}

const NUMBER_WITH_UNIT = /\d\s*(ms|µs)\b/;

describe('findings', () => {
  test.each([
    [2.218, 'faster', 'CompConv16-ResNetSmall14 is 2.22× as fast as ResNetSmall14 here, with 2.58× fewer FLOPs'],
    [1.03, 'equal', 'No real gain here: CompConv16-ResNetSmall14 is 1.03× as fast as ResNetSmall14, with 2.58× fewer FLOPs'],
    [0.451, 'slower', 'Slower here: CompConv16-ResNetSmall14 is 0.45× as fast as ResNetSmall14, with 2.58× fewer FLOPs'],
  ])('%s times as fast is %s', (speedUp, outcome, headline) => {
    const [finding, ...others] = describeFindings(withSpeedUp(speedUp));
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ outcome, headline, speedUp });
    expect(finding.detail).toContain('medians of 10 runs each');
    expect(finding.detail.includes('dispatches stand against')).toBe(outcome !== 'faster');
  });

  test('more arithmetic is called more', () => {
    const [plain, own] = withSpeedUp(2).networks;
    const [finding] = describeFindings({ ...report, networks: [plain, { ...own, macsRatio: 0.8 }] });
    expect(finding.headline).toContain('1.25× more FLOPs');
  });

  test('the fastest of a sweep comes first, what failed before it', () => {
    const sweep = madeReport({ networks: ['resnet_small14'], c0: [8, 16, 64], peers: [] });
    const speedUps = describeFindings(sweep).map(({ speedUp }) => speedUp!);
    expect(speedUps).toEqual([...speedUps].sort((a, b) => b - a));
    const broken = {
      ...sweep,
      networks: sweep.networks.map((network) => (network.label.startsWith('CompConv64') ? failed(network) : network)),
    };
    const [first, ...others] = describeFindings(broken);
    expect(first).toMatchObject({
      outcome: 'failed',
      headline: 'CompConv64-ResNetSmall14 computes something else here, so no time is shown',
    });
    expect(others).toHaveLength(2);
  });

  test('what is wrong has no time anywhere, and says by how much it is off', () => {
    const [plain, own] = report.networks;
    const broken = { ...report, peers: [], networks: [failed(plain), failed(own)] };
    const texts = [...describeFindings(broken).flatMap(({ headline, detail }) => [headline, detail]), reportMarkdown(broken)];
    for (const text of texts) expect(text).not.toMatch(NUMBER_WITH_UNIT);
    expect(describeFindings(broken)[0].detail).toContain(
      'are off by 3.1e-2 (relative L2 against the CPU reference); 1e-5 is allowed',
    );
    for (const row of csvParse(networksCsv(broken)))
      expect([row.medianMs, row.p90Ms, row.minMs, row.gpuMedianMs, row.toFirstResultMs]).toEqual(['', '', '', '', '']);
  });

  test('a twin without a time leaves nothing to compare', () => {
    const [plain, own] = report.networks;
    const { speedUp: _, ...alone } = own;
    const [finding] = describeFindings({ ...report, networks: [failed(plain), alone] });
    expect(finding).toMatchObject({ outcome: 'failed', label: own.label });
    expect(finding.detail).toContain(`nothing to compare ${own.label} with`);
  });

  test('what did not fit the adapter says so', () => {
    const [plain, own] = report.networks;
    const { plan: _, ...absent } = failed(own);
    const [finding] = describeFindings({
      ...report,
      networks: [plain, { ...absent, relativeError: null, problem: 'needs 3 GB' }],
    });
    expect(finding).toMatchObject({ headline: `${own.label} could not run here, so it has no time`, detail: 'Needs 3 GB.' });
  });

  test('without section times the layers speak', () => {
    const untimed = madeReport({ ...small, sections: ['layers'], peers: [] });
    const [finding] = describeFindings(untimed);
    expect(finding).toMatchObject({
      outcome: 'untimed',
      headline: 'CompConv16-ResNetSmall14 has 2.58× fewer FLOPs than ResNetSmall14',
    });
    expect(finding.detail).toContain('One by one its dispatches take');
  });

  test('a network alone is no comparison', () => {
    const [finding] = describeFindings(madeReport({ ...small, c0: [], peers: [] }));
    expect(finding.headline).toMatch(/^ResNetSmall14 takes .*ms here$/);
  });

  test('other engines: their best setting, against ours, both ways', () => {
    const [web, wasm, tfjs] = describePeers(report);
    expect(web).toMatch(
      /^onnxruntime-web .* takes .* for ResNetSmall14 \(2\.\d\d× ours\), .* for CompConv16-ResNetSmall14 .*, each in its best setting\.$/,
    );
    expect(wasm).toContain('WASM');
    expect(tfjs).toContain('in its best setting; there is no time for CompConv16-ResNetSmall14.');
    const faster = { ...report, peers: report.peers!.map((peer) => ({ ...peer, ...(peer.timesOurs && { timesOurs: 0.5 }) })) };
    expect(describePeers(faster)[0]).toContain('0.50× ours, so it is faster than we are');
  });
});

describe('caveats', () => {
  const calm = withSpeedUp(2);
  const withSamples = (samples: number[], gpu?: number[]): BenchReport => {
    const [network] = report.networks;
    const { gpuTimeMs: _, ...times } = network.times!;
    return {
      ...report,
      peers: [],
      networks: [
        {
          ...network,
          times: {
            ...times,
            latencySamplesMs: samples,
            latencyMs: summarize(samples),
            ...(gpu && { gpuTimeMs: summarize(gpu) }),
          },
        },
      ],
    };
  };
  const irregular = [10.013, 10.127, 10.241, 10.353, 10.467];

  test('a quiet run on a GPU has none', () => expect(describeCaveats({ ...calm, peers: [] })).toEqual([]));
  test('a software adapter', () =>
    expect(describeCaveats({ ...calm, adapter: { ...calm.adapter, isSoftware: true } })[0]).toContain('software adapter'));
  test('few runs', () =>
    expect(describeCaveats(withSamples([10.013, 10.127]))).toEqual([expect.stringContaining('of 2 runs only')]));
  test('a wide spread', () =>
    expect(describeCaveats(withSamples([...irregular, 17.333, 19.111]))).toEqual([
      expect.stringContaining('from 10.0\u00a0ms to 19.1\u00a0ms'),
    ]));
  test('a coarse CPU clock', () =>
    expect(describeCaveats(withSamples([10, 10.1, 10.2, 10.4, 10.3]))).toEqual([expect.stringContaining('steps of 0.1 ms')]));
  test('coarse GPU times, unless they are many steps', () => {
    const steps = (count: number) => irregular.map((_, i) => (count + i) * 0.065536);
    expect(describeCaveats(withSamples(irregular, steps(20)))).toEqual([expect.stringContaining('steps of 65.5 µs')]);
    expect(describeCaveats(withSamples(irregular, steps(200)))).toEqual([]);
    const measured = { ...withSamples(irregular, irregular), limits: { ...report.limits!, timestampStepNs: 1e6 } };
    expect(describeCaveats(measured)).toEqual([expect.stringContaining('steps of 1,000 µs')]);
  });
  test('no timestamps', () =>
    expect(describeCaveats({ ...calm, peers: [], adapter: { ...calm.adapter, features: [] } })).toEqual([
      expect.stringContaining('no timestamps'),
    ]));
  test('another size for the check, and another storage than asked for', () => {
    const networks = calm.networks.map((network) => ({
      ...network,
      verifySize: 64,
      dtypeFallback: 'f32 instead of f16: no shader-f16',
    }));
    expect(describeCaveats({ ...calm, networks, peers: [] })).toEqual([
      expect.stringContaining('an image of 64×64'),
      'f32 instead of f16: no shader-f16',
    ]);
  });
  test('other engines in another precision, and layers that could not be measured', () => {
    const networks = calm.networks.map((network, i) => ({ ...network, dtype: 'f16' as const, ...(i === 0 && { layersProblem: 'no memory' }) }));
    expect(describeCaveats({ ...calm, networks })).toEqual([`${networks[0].label}: its layers were not measured: no memory`, expect.stringContaining('float32')]);
  });
});

describe('CSV', () => {
  test('a row for each network, engine and setting, with exact numbers', () => {
    const rows = csvParse(networksCsv(report));
    expect(rows).toHaveLength(report.networks.length + report.peers!.length);
    const [, own] = report.networks;
    expect(rows[1]).toMatchObject({
      network: own.label,
      engine: 'compconv-webgpu',
      macs: String(own.macs),
      verified: 'true',
      medianMs: String(own.times!.latencyMs.median),
      speedUp: String(own.speedUp),
    });
    expect(rows.find(({ engine, verified }) => engine?.startsWith('TensorFlow') && verified === 'false')).toMatchObject({
      medianMs: '',
      problem: expect.stringContaining('off from ours'),
    });
  });

  test('layers', () => {
    const [plain, own] = report.networks;
    const rows = csvParse(layersCsv(plain, own));
    expect(rows.map(({ layer }) => layer)).toEqual(own.graphLayers.map(({ name }) => name));
    expect(rows[0]).toMatchObject({ plainMacs: String(plain.graphLayers[0].macs), ownMacs: String(own.graphLayers[0].macs) });
    expect(Number(rows[0].ownGpuMs)).toBeGreaterThan(0);
  });
});

test('Markdown: headline, adapter, a table with as many cells in each line', () => {
  const text = reportMarkdown(report);
  expect(text).toContain(`### ${describeFindings(report)[0].headline}`);
  expect(text).toContain('- Adapter: Fast-1 (maker, arch), driver 551.2');
  const lines = text.split('\n').filter((line) => line.startsWith('|'));
  expect(lines).toHaveLength(2 + report.networks.length + report.peers!.length);
  expect(new Set(lines.map((line) => line.split(/(?<!\\)\|/).length)).size).toBe(1);
  expect(text).not.toContain('\u00a0');
  expect(reportMarkdown({ ...report, options: { ...report.options, tuned: true, forcedPasses: ['fuse-tails'] } })).toContain('optimized with fuse-tails forced, tuned, seed');
});

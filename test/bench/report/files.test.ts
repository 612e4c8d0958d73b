/** Saved reports: read back, compared, traced to their request; and sweeps in them. */
import { describe, expect, test } from 'vitest';
import { compareReports } from '../../../bench/report/comparison.ts';
import { parseReport } from '../../../bench/report/file.ts';
import { reportName } from '../../../bench/report/name.ts';
import { requestOfReport } from '../../../bench/report/request.ts';
import { DEFAULT_REQUEST, type BenchRequest } from '../../../bench/request.ts';
import { sweepsOf } from '../../../bench/report/sweep.ts';
import { madeReport } from '../made-report.ts';

const small = { networks: ['resnet_small14'], c0: [16] };
const report = madeReport(small);
const text = JSON.stringify(report);

describe('a file', () => {
  test('gives its report back', () => expect(parseReport(text)).toEqual(report));

  test.each([
    ['garbage', 'PK\u0003\u0004', 'It is no JSON'],
    ['a truncated report', text.slice(0, -1000), 'Its end is missing'],
    ['other JSON', '{"name":"compconv-webgpu"}', 'no report of this benchmark'],
    ['a list', '[1]', 'no report of this benchmark'],
    ['null', 'null', 'no report of this benchmark'],
    ['an older format', JSON.stringify({ ...report, format: 1 }), 'format 1, of an older version'],
    ['a newer format', JSON.stringify({ ...report, format: 3 }), 'format 3, of a newer version'],
    [
      'a report without something',
      JSON.stringify({ ...report, adapter: undefined }),
      'something is wrong in it: $: lacks adapter',
    ],
    ['a text for a number', text.replace(/"median":[\d.]+/, '"median":"<b>1</b>"'), 'is no number'],
    ['a report with something more', JSON.stringify({ ...report, constructor: 1 }), 'wrong in it: $: has constructor too'],
    [
      'a report with something more to make a network of',
      text.replace('"options":{"arch"', '"options":{"__proto__":[],"arch"'),
      'wrong in it: $.options.networks[0].options: has __proto__ too',
    ],
    ['a stray label', JSON.stringify({ ...report, networks: report.networks.slice(1) }), '"ResNetSmall14" that is not there'],
  ])('that is %s says so', (_what, wrong, message) => {
    expect(() => parseReport(wrong)).toThrow(
      expect.objectContaining({ code: 'invalid-file', message: expect.stringContaining(message) }),
    );
  });

  test('with a thousand things wrong does not list them all', () => {
    const wrong = { ...report, networks: Array.from({ length: 1000 }, () => ({ ['x'.repeat(1000)]: 1 })) };
    expect(() => parseReport(JSON.stringify(wrong))).toThrow(expect.objectContaining({ message: expect.stringMatching(/^[^]{1,3000}and \d+ more$/) }));
  });

  test('is named by adapter and day', () => expect(reportName(report)).toBe('fast-1-2026-11-24'));
});

describe('a comparison', () => {
  test('of a report with itself differs in nothing', () => {
    const { rows, differences } = compareReports(report, report);
    expect(differences).toEqual([]);
    expect(rows).toHaveLength(report.networks.length + report.peers!.length);
    for (const { a, ratio } of rows) expect(ratio).toBe(a!.times ? 1 : undefined);
  });

  test('points out other layers under the same name', () => {
    const others = madeReport({ ...small, depths: { 'layer1.0.conv1': 1 } });
    const more = madeReport({ ...small, depths: { 'layer1.0.conv1': 0 }, inner: 'bn-relu' });
    const [difference, ...rest] = compareReports(others, more).differences;
    expect(rest).toEqual([]);
    expect(difference.what).toBe('layers of CompConv16-ResNetSmall14 with depths');
    expect(difference.a).toMatch(/MACs, .* parameters, layer1\.0\.conv1 1$/);
    expect(difference.b).toMatch(/inner bn-relu, layer1\.0\.conv1 0$/);
  });

  test('points out what differs, and pairs what is the same', () => {
    const other = madeReport({ ...small, c0: [16, 64], runs: 3, peers: [] }, true);
    const { rows, differences } = compareReports(report, other);
    expect(differences.map(({ what }) => what)).toEqual(['adapter', 'ort-web', 'ort-wasm', 'tfjs', 'runs', 'networks']);
    expect(differences.find(({ what }) => what === 'runs')).toEqual({ what: 'runs', a: '10', b: '3' });
    const [plain] = rows;
    expect(plain.ratio).toBe(report.networks[0].times!.latencyMs.median / other.networks[0].times!.latencyMs.median);
    expect(rows.filter(({ a }) => !a).map(({ label }) => label)).toEqual(['CompConv64-ResNetSmall14']);
  });

  test('another version of an engine is a difference, not another row', () => {
    const newer = { ...report, peers: report.peers!.map((peer) => ({ ...peer, title: peer.title.replace('1.30', '1.31') })) };
    const { rows, differences } = compareReports(report, newer);
    expect(rows).toHaveLength(report.networks.length + report.peers!.length);
    expect(differences.map(({ what }) => what)).toEqual(['ort-web', 'ort-wasm']);
  });
});

describe('the request of a report', () => {
  const asked: Partial<BenchRequest>[] = [
    {},
    { c0: [] },
    { c0: [16, 64], classes: 7, inner: 'bn-relu', shuffleGroups: 4 },
    { c0: [], depths: { conv1: 1 } },
    { size: 20, batch: 2, schedule: 'reference', withoutPasses: ['free-shuffle'], seed: 9 },
  ];
  test.each(asked)('is found again: %o', (part) => {
    const request = { ...DEFAULT_REQUEST, ...small, ...part };
    expect(requestOfReport(madeReport(request).options)).toEqual(request);
  });

  test('is not made up where no address says it', () => {
    const [plain, own] = report.options.networks;
    expect(requestOfReport({ ...report.options, networks: [{ ...plain, label: 'mine' }, own] })).toBeUndefined();
    expect(requestOfReport({ ...report.options, networks: [own, plain] })).toBeUndefined();
    expect(requestOfReport({ ...report.options, tuned: true })).toBeUndefined();
    expect(requestOfReport({ ...report.options, networks: [{ ...plain, options: { arch: 'resnet9' } }] })).toBeUndefined();
  });
});

describe('a sweep', () => {
  test('is by C_0, the plain network last, in shares of it', () => {
    const swept = madeReport({ networks: ['resnet_small14'], c0: [64, 16, 32], sections: ['times'], peers: [] });
    const [{ plain, points }, ...others] = sweepsOf(swept);
    expect(others).toEqual([]);
    expect(plain).toBe('ResNetSmall14');
    expect(points.map(({ c0 }) => c0)).toEqual([16, 32, 64, undefined]);
    expect(points.at(-1)).toMatchObject({ macsShare: 1, paramsShare: 1, timeShare: 1 });
    for (const { network, macsShare, timeShare } of points) {
      expect(macsShare).toBeCloseTo(1 / network.macsRatio, 12);
      expect(timeShare).toBeCloseTo(1 / network.speedUp!, 12);
    }
  });

  test('is none below three twins', () => expect(sweepsOf(report)).toEqual([]));
});

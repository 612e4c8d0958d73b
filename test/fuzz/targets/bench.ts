/** The benchmark's links and saved reports: a request or report that all of the page can work with, or an error. */
import fc from 'fast-check';
import type { BenchReport } from '../../../bench/report.ts';
import { compareReports } from '../../../bench/report/comparison.ts';
import { layersCsv, networksCsv } from '../../../bench/report/csv.ts';
import { parseReport } from '../../../bench/report/file.ts';
import { reportMarkdown } from '../../../bench/report/markdown.ts';
import { reportName } from '../../../bench/report/name.ts';
import { requestOfReport } from '../../../bench/report/request.ts';
import { sweepsOf } from '../../../bench/report/sweep.ts';
import { fromSearchParams, isAutostart, requestedNetworks, toSearchParams } from '../../../bench/request.ts';
import { madeReport } from '../../bench/made-report.ts';
import { damaged, damages, editedJson, jsonEdits } from '../mutations.ts';
import { mustEqual, outcomeOf } from '../outcome.ts';
import { defineTarget } from '../target.ts';

const REPORTS: readonly BenchReport[] = [
  // Large, with everything in it; and small, so that most edits hit its frame.
  madeReport({ networks: ['resnet_small14'], c0: [16], runs: 3 }),
  madeReport({ networks: ['resnet_small14'], c0: [16, 32, 64], runs: 1, sections: ['times'], peers: ['tfjs'] }),
];
const FRAMES = REPORTS.map(({ networks, ...report }) => ({
  ...report,
  networks: networks.map(({ layers: _, graphLayers: [layer], ...network }) => ({ ...network, graphLayers: [layer] })),
}));
const BASES = [...REPORTS, ...FRAMES];

const report = fc.record({ base: fc.nat(BASES.length - 1), edits: jsonEdits, damages: fc.oneof({ weight: 5, arbitrary: fc.constant([]) }, damages) });

export const reports = defineTarget('report', 60, report, async ({ base, edits, damages }) => {
  const text = Buffer.from(damaged(Buffer.from(editedJson(BASES[base], edits)), damages)).toString();
  const { value } = await outcomeOf(['invalid-file'], () => parseReport(text));
  if (!value) return;
  mustEqual(value, JSON.parse(text), 'report');
  // What draws it trusts every field.
  useReport(value);
  compareReports(value, REPORTS[0]);
});

function useReport(report: BenchReport): void {
  const texts = [reportMarkdown(report), networksCsv(report), reportName(report)];
  for (const own of report.networks) {
    const plain = report.networks.find(({ label }) => label === own.baseline);
    texts.push(layersCsv(plain, own), layersCsv(undefined, own));
  }
  for (const { points } of sweepsOf(report)) mustEqual(points.length >= 3, true, 'points of a sweep');
  if (texts.some((text) => typeof text !== 'string')) throw new Error('no text');
  const request = requestOfReport(report.options);
  if (request) mustEqual(requestedNetworks(request).length, report.options.networks.length, 'networks of the request');
}

const PARAMETERS = ['networks', 'c0', 'depths', 'inner', 'groups', 'classes', 'size', 'batch', 'runs', 'dtype', 'schedule', 'without', 'force', 'sections', 'peers', 'seed', 'autostart'];
const VALUES = [
  'resnet18', 'resnet_small14,vgg11', '64', '64,128', '1e-300', '1e999', '0x10', '-0', ' 7 ', '', ',', '{"conv1":1}', '{"conv1":1e999}', '{"conv1":-0}', '{"__proto__":1}',
  'bn-relu', 'linear', 'f16', 'reference', 'free-slices', 'times,layers', 'ort-web', '16777216', '4294967295', 'constructor', '__proto__', '9'.repeat(400), '[[[', '\u0000', 'é',
];
const value = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...VALUES) }, fc.string(), fc.integer().map(String), fc.double().map(String), jsonEdits.map((edits) => editedJson({ conv1: 1 }, edits)));
const address = fc.array(fc.tuple(fc.oneof(fc.constantFrom(...PARAMETERS), fc.string()), value), { maxLength: 5 });

export const requests = defineTarget('request', 300, address, async (pairs) => {
  const params = new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, value]));
  isAutostart(params);
  const { value } = await outcomeOf(['invalid-argument'], () => fromSearchParams(params));
  if (!value) return;
  // As text, where 0 and -0 are alike.
  mustEqual(JSON.stringify(fromSearchParams(toSearchParams(value))), JSON.stringify(value), 'the request of its own address');
  const networks = await outcomeOf(['invalid-argument', 'invalid-graph'], () => requestedNetworks(value));
  if (networks.value) mustEqual(networks.value.length % value.networks.length, 0, 'networks');
});

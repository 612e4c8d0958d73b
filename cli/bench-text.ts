/** A benchmark's report for people: tables in the order of the sections. */

import type { BenchReport, BenchResult, PeerResult, Times } from '../bench/report.ts';
import type { Summary } from '../bench/statistics.ts';
import { layersText, limitsText, scalingText } from './bench-section-text.ts';
import { byteSize, count, milliseconds, table } from './report.ts';

export function benchText(report: BenchReport): string[] {
  const { networks, limits, peers } = report;
  const parts = [head(report)];
  if (limits) parts.push(limitsText(limits));
  if (networks.length > 0) parts.push(networksText(networks), loadText(networks));
  if (networks.some(({ times }) => times)) parts.push(timesText(networks), ...speedUps(networks));
  if (peers) parts.push(peersText(peers), ...peerNotes(peers));
  for (const { label, layers, layersProblem, scaling } of networks) {
    if (layers) parts.push(...layersText(label, layers));
    if (layersProblem !== undefined) parts.push([`${label}: no layers: ${layersProblem}`]);
    if (scaling) parts.push(scalingText(label, scaling));
  }
  return parts.flatMap((lines, i) => (i === 0 ? lines : ['', ...lines]));
}

function head({ adapter, versions, networks, options }: BenchReport): string[] {
  const { runs, seed, schedule, withoutPasses, forcedPasses, dtype, tuned } = options;
  const without = withoutPasses.length > 0 ? ` without ${withoutPasses.join(', ')}` : '';
  const forced = forcedPasses.length > 0 ? ` with ${forcedPasses.join(', ')} forced` : '';
  const shapes = [...new Set(networks.map(({ inputShape }) => `[${inputShape.join(', ')}]`))].join(', ');
  return [
    `adapter   ${adapter.name}${adapter.isSoftware ? ': these times say nothing about a GPU' : ''}`,
    `versions  ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version || 'none'}`)
      .join(', ')}`,
    ...(shapes ? [`input     ${shapes}, ${runs} runs in turns, seed ${seed}, schedule ${schedule}${without}${forced}, ${dtype}${tuned ? ', tuned' : ''}`] : []),
    ...new Set(networks.flatMap(({ dtypeFallback }) => (dtypeFallback === undefined ? [] : [`          ${dtypeFallback}`]))),
  ];
}

function networksText(networks: readonly BenchResult[]): string[] {
  return table(
    ['network', 'MACs', 'parameters', 'dispatches', 'moves', 'pipelines', 'activations', 'over bound'],
    networks.map(({ label, macs, params, plan }) => [
      label,
      count(macs),
      count(params),
      ...(plan
        ? [
            String(plan.dispatches),
            String(plan.moves),
            String(plan.pipelines),
            byteSize(plan.activationBytes),
            `${plan.activationRatio.toFixed(3)}x`,
          ]
        : Array<string>(5).fill('-')),
    ]),
  );
}

function timesText(networks: readonly BenchResult[]): string[] {
  const hasGpuTime = networks.some(({ times }) => times?.gpuTimeMs);
  return table(
    ['network', 'median', 'p90', 'min', 'n', ...(hasGpuTime ? ['GPU median', 'p90', 'min'] : []), 'encode + submit', 'warm-up runs'],
    networks.map(({ label, times }) => [
      label,
      ...latencyCells(times),
      ...(hasGpuTime ? statistics(times?.gpuTimeMs) : []),
      times?.encodeMs ? milliseconds(times.encodeMs.median) : '-',
      String(times?.warmUpRuns ?? '-'),
    ]),
  );
}

function latencyCells(times: Times | undefined): string[] {
  return [...statistics(times?.latencyMs), String(times?.latencyMs.n ?? '-')];
}

function statistics(summary: Summary | undefined): string[] {
  return summary ? [milliseconds(summary.median), milliseconds(summary.p90), milliseconds(summary.min)] : ['-', '-', '-'];
}

function loadText(networks: readonly BenchResult[]): string[] {
  return table(
    ['network', 'error', 'at', 'weights made', 'upload', 'compile', 'session', 'first run', 'to first result'],
    networks.map(({ label, verified, relativeError, verifySize, load }) => [
      label,
      errorCell(verified, relativeError),
      `${verifySize}x${verifySize}`,
      ...(load
        ? [load.weightsMs, load.uploadMs, load.compileMs, load.sessionMs, load.firstRunMs, load.totalMs].map(milliseconds)
        : Array<string>(6).fill('-')),
    ]),
  );
}

function errorCell(verified: boolean, relativeError: number | null): string {
  return `${relativeError?.toExponential(1) ?? '-'}${verified ? '' : ' FAILED'}`;
}

function speedUps(networks: readonly BenchResult[]): string[][] {
  return networks.flatMap(({ label, baseline, speedUp, macsRatio }) =>
    speedUp === undefined || label === baseline
      ? []
      : [[`${label} against ${baseline}: ${speedUp.toFixed(2)}x as fast (medians), with ${macsRatio.toFixed(2)}x fewer MACs`]],
  );
}

function peersText(peers: readonly PeerResult[]): string[] {
  const ratio = (value: number | undefined) => (value === undefined ? '-' : `${value.toFixed(2)}x`);
  return table(
    ['network', 'other engine', 'setting', 'off from ours', 'median', 'p90', 'min', 'n', 'to first result', 'our time times', 'against its plain'],
    peers.map((peer) => [
      peer.label,
      peer.title,
      peer.setting,
      errorCell(peer.verified, peer.relativeError),
      ...latencyCells(peer.times),
      peer.load ? milliseconds(peer.load.totalMs) : '-',
      ratio(peer.timesOurs),
      ratio(peer.speedUp),
    ]),
  );
}

/** What did not work, each once. */
function peerNotes(peers: readonly PeerResult[]): string[][] {
  const notes = peers.flatMap(({ title, setting, notes, problem }) =>
    [...notes, ...(problem === undefined ? [] : [problem])].map((note) => `${title}${setting && `, ${setting}`}: ${note}`),
  );
  return notes.length > 0 ? [[...new Set(notes)]] : [];
}

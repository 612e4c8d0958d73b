/** A benchmark's report for people: tables in the order of the sections. */

import type { BenchReport, BenchResult } from '../bench/report.ts';
import type { Summary } from '../bench/statistics.ts';
import { layersText, limitsText, scalingText } from './bench-section-text.ts';
import { count, megabytes, milliseconds, table } from './report.ts';

export function benchText(report: BenchReport): string[] {
  const { networks, limits } = report;
  const parts = [head(report)];
  if (limits) parts.push(limitsText(limits));
  if (networks.length > 0) parts.push(networksText(report), loadText(report));
  if (networks.some(({ latencyMs }) => latencyMs)) parts.push(timesText(networks), ...speedUps(networks));
  for (const { network, layers, scaling } of networks) {
    if (layers) parts.push(...layersText(network, layers));
    if (scaling) parts.push(scalingText(network, scaling));
  }
  return parts.flatMap((lines, i) => (i === 0 ? lines : ['', ...lines]));
}

function head({ adapter, versions, inputShape, networks, options: { runs, seed, schedule, withoutPasses, dtype, tuned } }: BenchReport): string[] {
  const without = withoutPasses.length > 0 ? ` without ${withoutPasses.join(', ')}` : '';
  return [
    `adapter   ${adapter.name}${adapter.isSoftware ? ': these times say nothing about a GPU' : ''}`,
    `versions  ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version || 'none'}`)
      .join(', ')}`,
    ...(inputShape
      ? [`input     [${inputShape.join(', ')}], ${runs} runs in turns, seed ${seed}, schedule ${schedule}${without}, ${dtype}${tuned ? ', tuned' : ''}`]
      : []),
    ...new Set(networks.flatMap(({ dtypeFallback }) => (dtypeFallback === undefined ? [] : [`          ${dtypeFallback}`]))),
  ];
}

function networksText({ networks }: BenchReport): string[] {
  return table(
    ['network', 'MACs', 'parameters', 'dispatches', 'moves', 'pipelines', 'activations', 'over bound'],
    networks.map((result) => [
      result.label,
      count(result.macs),
      count(result.params),
      String(result.dispatches),
      String(result.moves),
      String(result.pipelines),
      megabytes(result.activationBytes),
      `${result.activationRatio.toFixed(3)}x`,
    ]),
  );
}

function timesText(networks: readonly BenchResult[]): string[] {
  const hasGpuTime = networks.some(({ gpuTimeMs }) => gpuTimeMs);
  const stats = (summary: Summary | undefined) =>
    summary ? [milliseconds(summary.median), milliseconds(summary.p90), milliseconds(summary.min)] : ['-', '-', '-'];
  return table(
    ['network', 'median', 'p90', 'min', ...(hasGpuTime ? ['GPU median', 'p90', 'min'] : []), 'encode + submit', 'warm-up runs'],
    networks.map(({ label, latencyMs, gpuTimeMs, encodeMs, warmUpRuns }) => [
      label,
      ...stats(latencyMs),
      ...(hasGpuTime ? stats(gpuTimeMs) : []),
      encodeMs ? milliseconds(encodeMs.median) : '-',
      String(warmUpRuns ?? '-'),
    ]),
  );
}

function loadText({ networks, verifySize }: BenchReport): string[] {
  return table(
    ['network', `error at ${verifySize}x${verifySize}`, 'upload', 'compile', 'session', 'first run', 'to first result'],
    networks.map(({ label, verified, relativeError, load }) => [
      label,
      `${relativeError?.toExponential(1) ?? 'not finite'}${verified ? '' : ' FAILED'}`,
      ...(load
        ? [load.uploadMs, load.compileMs, load.sessionMs, load.firstRunMs, load.totalMs].map(milliseconds)
        : Array<string>(5).fill('-')),
    ]),
  );
}

function speedUps(networks: readonly BenchResult[]): string[][] {
  return networks.slice(1).flatMap(({ label, speedUp, macsRatio, network }) =>
    speedUp === undefined
      ? []
      : [
          [
            `${network} (${label}) against ${networks[0].network}: ${speedUp.toFixed(2)}x as fast (medians), ` +
              `with ${macsRatio.toFixed(2)}x fewer MACs`,
          ],
        ],
  );
}

/** A benchmark's report for people: tables in the order of the sections. */

import type { AdapterLimits, BenchReport, BenchResult, LayersReport, ScalingReport } from '../bench/report.ts';
import type { Summary } from '../bench/statistics.ts';
import { count, megabytes, milliseconds, percent, table } from './report.ts';

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

function head({ adapter, versions, inputShape, options: { runs, seed, schedule, withoutPasses } }: BenchReport): string[] {
  const without = withoutPasses.length > 0 ? ` without ${withoutPasses.join(', ')}` : '';
  return [
    `adapter   ${adapter.name}${adapter.isSoftware ? ': these times say nothing about a GPU' : ''}`,
    `versions  ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version || 'none'}`)
      .join(', ')}`,
    ...(inputShape
      ? [`input     [${inputShape.join(', ')}], ${runs} runs in turns, seed ${seed}, schedule ${schedule}${without}`]
      : []),
  ];
}

function limitsText({ clock, dispatchFloor, peak, bandwidth }: AdapterLimits): string[] {
  const { dependentUs, dependentDispatches, independentUs, independentDispatches } = dispatchFloor;
  const us = (value: number) => value.toPrecision(3);
  return [
    `limits of the adapter, by ${clock}; rates by the least time`,
    ...table(
      ['empty dispatches', 'in a pass', 'median us', 'min us'],
      [
        ['dependent', count(dependentDispatches), us(dependentUs.median), us(dependentUs.min)],
        ['independent', count(independentDispatches), us(independentUs.median), us(independentUs.min)],
      ],
    ),
    '',
    ...table(
      ['arithmetic, f32', 'chains', 'GFLOP/s', 'median'],
      peak.forms.map(({ form, chains, gflopPerS, medianGflopPerS }) => [
        form,
        String(chains),
        rate(gflopPerS),
        rate(medianGflopPerS),
      ]),
    ),
    '',
    ...table(
      ['copy: read and written', 'GB/s', 'median'],
      bandwidth.map(({ bytes, gbPerS, medianGbPerS }) => [megabytes(bytes), rate(gbPerS), rate(medianGbPerS)]),
    ),
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

function layersText(network: string, { dispatches, kernels, timeMs, rooflineMs }: LayersReport): string[][] {
  return [
    [
      `${network}: ${dispatches.length} dispatches, each alone, ${milliseconds(timeMs)} together; at their rooflines ` +
        `${milliseconds(rooflineMs)}, ${percent(rooflineMs / timeMs)} of that`,
      ...table(
        ['dispatch', 'kernel', 'MACs', 'bytes', 'time', 'GMAC/s', 'GB/s', 'of roofline', 'bound by'],
        dispatches.map((layer) => [
          layer.label,
          layer.kernel,
          count(layer.macs),
          count(layer.bytes),
          milliseconds(layer.timeMs.median),
          rate(layer.gmacPerS),
          rate(layer.gbPerS),
          percent(layer.rooflineShare),
          layer.bound,
        ]),
      ),
    ],
    table(
      ['kernel', 'dispatches', 'MACs', 'bytes', 'time', 'of all', 'GMAC/s', 'GB/s', 'of roofline'],
      kernels.map((kernel) => [
        kernel.kernel,
        String(kernel.dispatches),
        count(kernel.macs),
        count(kernel.bytes),
        milliseconds(kernel.timeMs),
        percent(kernel.timeShare),
        rate(kernel.gmacPerS),
        rate(kernel.gbPerS),
        percent(kernel.rooflineShare),
      ]),
    ),
  ];
}

function scalingText(network: string, { base, ratios }: ScalingReport): string[] {
  const time = (summary: Summary | undefined) => (summary ? milliseconds(summary.median) : '-');
  const ratio = (value: number | undefined) => (value === undefined ? '-' : `${value.toFixed(2)}x`);
  return [
    `${network}: time as the input grows (medians)`,
    ...table(
      ['batch', 'size', 'time', 'GPU time', 'pixels', 'time over first', 'bar', 'GPU time over first', 'within bar'],
      [
        [String(base.batch), String(base.size), time(base.latencyMs), time(base.gpuTimeMs), '1x', '', '', '', ''],
        ...ratios.map(({ point, workRatio, latencyRatio, gpuTimeRatio, bar, isWithinBar }) => [
          String(point.batch),
          String(point.size),
          time(point.latencyMs),
          time(point.gpuTimeMs),
          `${workRatio}x`,
          ratio(latencyRatio),
          `${bar}x`,
          ratio(gpuTimeRatio),
          point.problem ?? (isWithinBar === undefined ? '-' : isWithinBar ? 'yes' : 'no'),
        ]),
      ],
    ),
  ];
}

/** Three digits that mean something, of rates from fractions to ten thousands. */
function rate(value: number): string {
  return value >= 100 ? count(Math.round(value)) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

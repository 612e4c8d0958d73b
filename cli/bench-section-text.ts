/** The sections of a benchmark's report that are more than times: limits of the adapter, layers, scaling. */

import type { AdapterLimits, LayersReport, ScalingReport } from '../bench/report.ts';
import type { Summary } from '../bench/statistics.ts';
import { byteSize, count, milliseconds, percent, table } from './report.ts';

export function limitsText({ timestampStepNs, dispatchFloor, peak, bandwidth }: AdapterLimits): string[] {
  const { dependentUs, dependentDispatches, independentUs, independentDispatches } = dispatchFloor;
  const us = (value: number) => value.toPrecision(3);
  return [
    `limits of the adapter; ${clockText(timestampStepNs)}; rates by the least time`,
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
      bandwidth.map(({ bytes, gbPerS, medianGbPerS }) => [byteSize(bytes), rate(gbPerS), rate(medianGbPerS)]),
    ),
  ];
}

/** @param stepNs nanoseconds between timestamps; undefined where there are none */
function clockText(stepNs: number | undefined): string {
  if (stepNs === undefined) return 'no timestamps: timed from submission until the queue is done';
  return `timestamps in steps of ${stepNs < 1000 ? `${stepNs} ns` : `${(stepNs / 1000).toPrecision(3)} us`}`;
}

/** The dispatches, then the totals by kernel. */
export function layersText(network: string, { dispatches, kernels, timeMs, rooflineMs }: LayersReport): string[][] {
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

export function scalingText(network: string, { base, ratios }: ScalingReport): string[] {
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

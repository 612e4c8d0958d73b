/** One measure of each layer as bars, plain against CompConv. */
import type { Markish } from '@observablehq/plot';
import { formatBytes, formatCount, formatLarge, formatMs } from '../../src/page/format.ts';
import type { LayerPair, LayerSide } from '../report/layer-pairs.ts';
import type { BenchResult } from '../report.ts';
import type { Chart } from './chart.ts';

export interface LayerMeasure {
  readonly title: string;
  readonly unit: string;
  of(side: LayerSide | undefined): number | undefined;
  readonly format: (value: number) => string;
}

export const MEASURES: readonly LayerMeasure[] = [
  { title: 'GPU time', unit: 'ms', of: (side) => side?.measured?.timeMs, format: formatMs },
  { title: 'MACs', unit: 'MMAC', of: (side) => side && side.macs / 1e6, format: (value) => formatLarge(value * 1e6) },
  {
    title: 'Bytes moved',
    unit: 'MB',
    of: (side) => side?.measured && side.measured.bytes / 1e6,
    format: (value) => formatBytes(value * 1e6),
  },
  { title: 'Dispatches', unit: 'dispatches', of: (side) => side?.measured?.dispatches, format: formatCount },
  {
    title: 'Share of the roofline',
    unit: '%',
    of: (side) => side?.measured && side.measured.rooflineShare * 100,
    format: (value) => `${value.toFixed(0)} %`,
  },
];

const ROW_HEIGHT = 18;

/** @param plain the twin, if there is one */
export function layerChart(
  { title, unit, of, format }: LayerMeasure,
  pairs: readonly LayerPair[],
  plain: BenchResult | undefined,
  own: BenchResult,
): Chart {
  const bars = pairs.flatMap((pair) => {
    const [plainValue, ownValue] = [of(pair.plain), of(pair.own)];
    return plainValue === undefined && ownValue === undefined ? [] : [{ name: pair.name, plain: plainValue, own: ownValue }];
  });
  const largest = bars.reduce((a, b) => (Math.max(b.plain ?? 0, b.own ?? 0) > Math.max(a.plain ?? 0, a.own ?? 0) ? b : a));
  const values = [plain && `${format(largest.plain ?? 0)} plain`, `${format(largest.own ?? 0)} with CompConv`]
    .filter(Boolean)
    .join(', ');
  const half = ROW_HEIGHT / 2;
  return {
    title: `${title} of each layer`,
    label: `${title} of ${bars.length} layers. Largest: ${largest.name}, ${plain ? values : format(largest.own ?? 0)}.`,
    legend: [...(plain ? [{ text: plain.label, color: 'var(--plain)' }] : []), { text: own.label, color: 'var(--compconv)' }],
    isTall: true,
    options: (plot) => ({
      height: bars.length * ROW_HEIGHT + 44,
      marginLeft: Math.max(...bars.map(({ name }) => name.length)) * 7.2 + 8,
      marginRight: 16,
      marginTop: 36,
      marginBottom: 8,
      x: { axis: 'top', label: unit, labelArrow: 'none', grid: true, zero: true, tickSpacing: 60 },
      y: { domain: bars.map(({ name }) => name), label: null, tickSize: 0 },
      marks: [
        plot.barX(bars, { x: 'plain', y: 'name', fill: 'var(--plain)', insetTop: 1, insetBottom: half }),
        plot.barX(bars, { x: 'own', y: 'name', fill: 'var(--compconv)', insetTop: plain ? half - 1 : 1, insetBottom: 1 }),
      ] as Markish[],
    }),
  };
}

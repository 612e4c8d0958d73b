/** The sweep: MACs, parameters and time over `C_0`, as shares of the plain network, and as a table. */
import type { Markish } from '@observablehq/plot';
import { element } from '../../src/page/dom.ts';
import { formatPercent } from '../../src/page/format.ts';
import type { Sweep, SweepPoint } from '../report/sweep.ts';
import { figure, type Chart } from './chart.ts';
import { dataTable, shown, type Column } from './table.ts';

export function sweepView(sweep: Sweep): HTMLElement {
  return element(
    'section',
    { class: 'part', 'data-part': 'sweep' },
    element('h3', {}, `${sweep.plain} over C₀`),
    figure(sweepChart(sweep)),
    dataTable(COLUMNS, sweep.points, { label: `${sweep.plain} over C₀`, keyOf: ({ label }) => label }),
  );
}

const LINES = [
  { name: 'MACs', color: 'var(--macs)', of: ({ macsShare }: SweepPoint) => macsShare, symbol: 'square' },
  { name: 'Parameters', color: 'var(--params)', of: ({ paramsShare }: SweepPoint) => paramsShare, symbol: 'triangle' },
  { name: 'Time', color: 'var(--compconv)', of: ({ timeShare }: SweepPoint) => timeShare, symbol: 'circle' },
] as const;

function sweepChart({ plain, points }: Sweep): Chart {
  const lines = LINES.map((line) => ({
    ...line,
    values: points.flatMap((point) => {
      const share = line.of(point);
      return share === undefined ? [] : [{ place: placeOf(point), percent: share * 100 }];
    }),
  })).filter(({ values }) => values.length > 0);
  return {
    title: `What is left of ${plain}, in per cent`,
    label: points.map(describePoint).join('; '),
    legend: lines.map(({ name, color }) => ({ text: name, color })),
    options: (plot) => ({
      height: 300,
      marginLeft: 44,
      marginTop: 28,
      x: { type: 'point', domain: points.map(placeOf), label: 'C₀' },
      y: { zero: true, nice: true, grid: true, label: '↑ % of plain', labelArrow: 'none' },
      symbol: { type: 'identity' },
      marks: lines.flatMap(({ values, color, symbol }): Markish[] => [
        plot.line(values, { x: 'place', y: 'percent', stroke: color, strokeWidth: 2 }),
        plot.dot(values, { x: 'place', y: 'percent', fill: color, symbol, r: 4.5 }),
      ]),
    }),
  };
}

function describePoint(point: SweepPoint): string {
  const shares = LINES.flatMap(({ name, of }) => {
    const share = of(point);
    return share === undefined ? [] : `${name} ${formatPercent(share)}`;
  });
  return `${point.label}: ${shares.join(', ')}`;
}

function placeOf({ c0 }: SweepPoint): string {
  return c0 === undefined ? 'plain' : String(c0);
}

const COLUMNS: readonly Column<SweepPoint>[] = [
  { key: 'network', title: 'Network', value: ({ label }) => label },
  { key: 'macs', title: 'MACs', value: ({ network }) => network.macs, show: shown.large },
  { key: 'macs-share', title: 'of plain', value: ({ macsShare }) => macsShare, show: shown.percent },
  { key: 'params', title: 'Parameters', value: ({ network }) => network.params, show: shown.large },
  { key: 'params-share', title: 'of plain', value: ({ paramsShare }) => paramsShare, show: shown.percent },
  { key: 'median', title: 'Median', value: ({ network }) => network.times?.latencyMs.median, show: shown.ms },
  { key: 'speed-up', title: 'as fast as plain', value: ({ timeShare }) => timeShare && 1 / timeShare, show: shown.ratio },
];

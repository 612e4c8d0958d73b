/** The adapter by itself: peak arithmetic, bandwidth by size, what a dispatch costs, and by which clock. */
import type { Markish } from '@observablehq/plot';
import { element } from '../../src/page/dom.ts';
import { formatBytes, formatCount, formatDigits } from '../../src/page/format.ts';
import type { AdapterLimits, ArithmeticForm, BandwidthSample } from '../report.ts';
import { figure, type Chart } from './chart.ts';
import { factList } from './facts.ts';
import { dataTable, shown, type Column } from './table.ts';

export function limitsView({ clock, timestampStepNs, dispatchFloor, peak, bandwidth }: AdapterLimits): HTMLElement {
  const best = bandwidth.reduce((a, b) => (b.gbPerS > a.gbPerS ? b : a));
  const { dependentUs, dependentDispatches, independentUs, independentDispatches } = dispatchFloor;
  const us = (value: number) => `${formatDigits(value)} µs`;
  return element(
    'section',
    { class: 'part', 'data-part': 'limits' },
    element('h3', {}, 'The adapter itself'),
    factList([
      ['Peak arithmetic, f32', `${formatDigits(peak.gflopPerS)} GFLOP/s`],
      ['Best bandwidth', `${formatDigits(best.gbPerS)} GB/s, at ${formatBytes(best.bytes)}`],
      [
        'A dispatch that waits for another',
        `${us(dependentUs.median)} (median of ${dependentUs.n}, ${formatCount(dependentDispatches)} in a pass)`,
      ],
      [
        'A dispatch that waits for none',
        `${us(independentUs.median)} (median of ${independentUs.n}, ${formatCount(independentDispatches)} in a pass)`,
      ],
      ['Clock', CLOCKS[clock] + (timestampStepNs === undefined ? '' : `; steps of ${us(timestampStepNs / 1e3)}`)],
    ]),
    element(
      'div',
      { class: 'charts' },
      figure(bandwidthChart(bandwidth)),
      element(
        'div',
        { class: 'stack' },
        dataTable(BANDWIDTH_COLUMNS, bandwidth, { label: 'Bandwidth by size' }),
        dataTable(FORM_COLUMNS, peak.forms, { label: 'Peak arithmetic by form' }),
      ),
    ),
    element('p', { class: 'note' }, 'Rates are by the least time, which says what is possible; medians stand beside.'),
  );
}

const CLOCKS: Readonly<Record<AdapterLimits['clock'], string>> = {
  'timestamp-query': 'the GPU’s own; each sample is repeated until its steps no longer matter',
  queue: 'the CPU’s, from submission until the queue is done: this adapter offers no timestamps',
};

function bandwidthChart(samples: readonly BandwidthSample[]): Chart {
  return {
    title: 'Bandwidth of a copy, by its size',
    label: samples.map(({ bytes, gbPerS }) => `${formatBytes(bytes)}: ${formatDigits(gbPerS)} GB/s`).join('; '),
    options: (plot) => ({
      height: 240,
      marginLeft: 52,
      marginTop: 28,
      marginRight: 28,
      marginBottom: 42,
      x: {
        type: 'log',
        label: 'read and written →',
        labelArrow: 'none',
        ticks: 4,
        tickFormat: (bytes: number) => (bytes < 1e6 ? `${bytes / 1e3} kB` : `${bytes / 1e6} MB`),
      },
      y: { zero: true, nice: true, grid: true, label: '↑ GB/s', labelArrow: 'none' },
      marks: [
        plot.line(samples, { x: 'bytes', y: 'gbPerS', stroke: 'var(--accent)', strokeWidth: 2 }),
        plot.dot(samples, { x: 'bytes', y: 'gbPerS', fill: 'var(--accent)', r: 4 }),
      ] as Markish[],
    }),
  };
}

const BANDWIDTH_COLUMNS: readonly Column<BandwidthSample>[] = [
  { key: 'bytes', title: 'Copy: read and written', value: ({ bytes }) => bytes, show: shown.bytes },
  { key: 'best', title: 'GB/s', value: ({ gbPerS }) => gbPerS, show: shown.digits },
  { key: 'median', title: 'Median', value: ({ medianGbPerS }) => medianGbPerS, show: shown.digits },
];

const FORM_COLUMNS: readonly Column<ArithmeticForm>[] = [
  { key: 'form', title: 'Arithmetic, f32', value: ({ form, chains }) => `${form}, ${chains} chains` },
  { key: 'best', title: 'GFLOP/s', value: ({ gflopPerS }) => gflopPerS, show: shown.digits },
  { key: 'median', title: 'Median', value: ({ medianGflopPerS }) => medianGflopPerS, show: shown.digits },
];

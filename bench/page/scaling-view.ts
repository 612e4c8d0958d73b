/** How time grows with image size and batch, for each network. */
import { element } from '../../src/page/dom.ts';
import type { BenchReport, ScalingPoint, ScalingRatio } from '../report.ts';
import { dataTable, shown, type Column } from './table.ts';

interface Row {
  readonly label: string;
  readonly point: ScalingPoint;
  /** Absent for the input that the others are compared with. */
  readonly ratio?: ScalingRatio;
}

export function scalingView({ networks }: BenchReport): HTMLElement[] {
  const rows = networks.flatMap(({ label, scaling }): Row[] =>
    scaling ? [{ label, point: scaling.base }, ...scaling.ratios.map((ratio) => ({ label, point: ratio.point, ratio }))] : [],
  );
  if (rows.length === 0) return [];
  const problems = [
    ...new Set(
      rows.flatMap(({ label, point }) => (point.problem === undefined ? [] : `${label} at ${inputOf(point)}: ${point.problem}`)),
    ),
  ];
  const over = rows.filter(({ ratio }) => ratio?.isWithinBar === false);
  return [
    element(
      'section',
      { class: 'part', 'data-part': 'scaling' },
      element('h3', {}, 'Larger inputs'),
      element(
        'p',
        {},
        over.length === 0
          ? 'Where there are times, they grow no faster than the work.'
          : `Time grows faster than the work for ${over.map(({ label, point }) => `${label} at ${inputOf(point)}`).join(', ')}.`,
      ),
      dataTable(COLUMNS, rows, { label: 'Time as the input grows', keyOf: ({ label, point }) => `${label}/${inputOf(point)}` }),
      problems.length > 0
        ? element('ul', { class: 'notes' }, ...problems.map((problem) => element('li', {}, problem)))
        : undefined,
    ),
  ];
}

const inputOf = ({ size, batch }: ScalingPoint) => `${batch} × ${size}×${size}`;

const COLUMNS: readonly Column<Row>[] = [
  { key: 'network', title: 'Network', value: ({ label }) => label },
  { key: 'input', title: 'Input', hint: 'Batch and size', value: ({ point }) => inputOf(point) },
  {
    key: 'median',
    title: 'Median',
    value: ({ point }) => point.latencyMs?.median,
    show: shown.ms,
    missing: ({ point }) => (point.problem === undefined ? '–' : 'no time'),
  },
  { key: 'gpu', title: 'GPU time', value: ({ point }) => point.gpuTimeMs?.median, show: shown.ms },
  {
    key: 'work',
    title: 'Work',
    hint: 'How many times the pixels of the first',
    value: ({ ratio }) => ratio?.workRatio ?? 1,
    show: (value) => `${value}×`,
  },
  {
    key: 'growth',
    title: 'Time',
    hint: 'How many times that of the first',
    value: ({ ratio }) => ratio?.latencyRatio,
    show: shown.ratio,
  },
  {
    key: 'gpu-growth',
    title: 'GPU time',
    hint: 'How many times that of the first',
    value: ({ ratio }) => ratio?.gpuTimeRatio,
    show: shown.ratio,
  },
  {
    key: 'bar',
    title: 'At most',
    hint: 'The growth of the work and a little',
    value: ({ ratio }) => ratio?.bar,
    show: (value, { ratio }) => `${value}× ${ratio?.isWithinBar === undefined ? '' : ratio.isWithinBar ? '✓' : '✗ exceeded'}`,
  },
];

/** Whole inferences: the table of times, the charts, and the phases before the first result. */
import { element } from '../../src/page/dom.ts';
import type { BenchReport, LoadTimes } from '../report.ts';
import { formatError } from '../report/findings.ts';
import { OUR_ENGINE, reportRows, timedRows, type ReportRow } from '../report/rows.ts';
import { figure } from './chart.ts';
import { dataTable, shown, type Column } from './table.ts';
import { latencyChart, spreadChart } from './run-charts.ts';
import { scatterChart } from './scatter-chart.ts';

/** Nothing where no network was even loaded. */
export function timesView(report: BenchReport): HTMLElement[] {
  const rows = reportRows(report);
  const ours = rows.filter(({ kind }) => kind === 'ours');
  if (ours.length === 0) return [];
  const timed = timedRows(report);
  // Other engines have a table of their own; the charts show them in their best setting only.
  const drawn = timed.filter(({ isBest }) => isBest);
  return [
    element(
      'section',
      { class: 'part', 'data-part': 'times' },
      element('h3', {}, timed.length > 0 ? 'Times' : 'Networks'),
      dataTable(TIME_COLUMNS, ours, { label: 'Times of the networks', keyOf: ({ label }) => label }),
      ...(drawn.length > 0
        ? [
            element(
              'div',
              { class: 'charts' },
              figure(latencyChart(drawn)),
              figure(spreadChart(drawn)),
              ...(drawn.length > 1 ? [figure(scatterChart(drawn))] : []),
            ),
          ]
        : []),
    ),
    ...(ours.some(({ network }) => network.load) ? [phasesView(ours)] : []),
  ];
}

/** Shared with the table of other engines. What has no time says so in place of it. */
export const MEDIAN: Column<ReportRow> = {
  key: 'median',
  title: 'Median',
  value: ({ times }) => times?.latencyMs.median,
  show: shown.ms,
  missing: ({ problem }) => (problem === undefined ? '–' : element('span', { class: 'wrong-text' }, 'no time')),
};

export const SPREAD: readonly Column<ReportRow>[] = [
  {
    key: 'p90',
    title: 'p90',
    hint: 'The least time that 90 % of the runs do not exceed',
    value: ({ times }) => times?.latencyMs.p90,
    show: shown.ms,
  },
  { key: 'min', title: 'Min', value: ({ times }) => times?.latencyMs.min, show: shown.ms },
  { key: 'n', title: 'n', hint: 'Measured runs', value: ({ times }) => times?.latencyMs.n },
];

const TIME_COLUMNS: readonly Column<ReportRow>[] = [
  { key: 'network', title: 'Network', value: ({ label }) => label },
  MEDIAN,
  ...SPREAD,
  {
    key: 'gpu',
    title: 'GPU time',
    hint: 'Median, by the GPU’s own clock',
    value: ({ times }) => times?.gpuTimeMs?.median,
    show: shown.ms,
  },
  {
    key: 'encode',
    title: 'Encode',
    hint: 'Median of the CPU’s time to record and submit one inference',
    value: ({ times }) => times?.encodeMs?.median,
    show: shown.ms,
  },
  {
    key: 'speed-up',
    title: 'vs plain',
    hint: 'How many times as fast as its plain twin',
    value: ({ speedUp }) => speedUp,
    show: shown.ratio,
  },
  {
    key: 'macs',
    title: 'MACs',
    hint: 'Multiply-accumulates of the formula; the CompConv paper calls these FLOPs',
    value: ({ network }) => network.macs,
    show: shown.large,
  },
  { key: 'params', title: 'Parameters', value: ({ network }) => network.params, show: shown.large },
  {
    key: 'dispatches',
    title: 'Dispatches',
    hint: 'Kernel launches of one inference',
    value: ({ network }) => network.plan?.dispatches,
    show: shown.count,
  },
  // One is the rule and says nothing.
  {
    key: 'submits',
    title: 'Submits',
    hint: 'Into how many one inference is cut, so that no watchdog ends it',
    value: ({ times }) => (times?.submits === 1 ? undefined : times?.submits),
  },
  {
    key: 'error',
    title: 'Error',
    hint: 'Relative L2 of the logits against the CPU reference',
    value: ({ relativeError }) => relativeError ?? undefined,
    show: (_, row) => errorText(row),
    missing: errorText,
  },
];

export function errorText({ relativeError, verified }: ReportRow): string {
  return `${formatError(relativeError)}${verified ? '' : ', failed'}`;
}

interface Phases {
  readonly label: string;
  readonly load: LoadTimes;
  readonly steadyMs: number | undefined;
}

function phasesView(rows: readonly ReportRow[]): HTMLElement {
  const phases = rows.flatMap(({ label, network: { load }, times }): Phases[] =>
    load ? [{ label, load, steadyMs: times?.latencyMs.median }] : [],
  );
  const columns: Column<Phases>[] = [
    { key: 'network', title: 'Network', value: ({ label }) => label },
    {
      key: 'weights',
      title: 'Weights made',
      hint: 'From the seed: takes the place of a download',
      value: ({ load }) => load.weightsMs,
      show: shown.ms,
    },
    {
      key: 'upload',
      title: 'Upload',
      hint: 'Until the last weight was on the GPU; making and packing them included',
      value: ({ load }) => load.uploadMs,
      show: shown.ms,
    },
    {
      key: 'compile',
      title: 'Compile',
      hint: 'Until the last kernel was compiled, while weights are uploaded',
      value: ({ load }) => load.compileMs,
      show: shown.ms,
    },
    {
      key: 'session',
      title: 'Session',
      hint: 'All before the first run: device, plan, upload, compilation, buffers',
      value: ({ load }) => load.sessionMs,
      show: shown.ms,
    },
    { key: 'first-run', title: 'First run', value: ({ load }) => load.firstRunMs, show: shown.ms },
    { key: 'total', title: 'To first result', hint: 'Session and first run', value: ({ load }) => load.totalMs, show: shown.ms },
    {
      key: 'steady',
      title: 'Then each',
      hint: 'Median latency in the steady state',
      value: ({ steadyMs }) => steadyMs,
      show: shown.ms,
    },
  ];
  return element(
    'section',
    { class: 'part', 'data-part': 'phases' },
    element('h3', {}, 'From nothing to the first result'),
    dataTable(columns, phases, { label: `Phases of ${OUR_ENGINE}`, keyOf: ({ label }) => label }),
    element(
      'p',
      { class: 'note' },
      'Upload and compilation go on at the same time, so they overlap. The browser or the driver may have had the kernels already.',
    ),
  );
}

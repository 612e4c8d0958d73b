/** Charts of every run, a strip for each network and engine: how long, and how scattered. */
import type { Markish } from '@observablehq/plot';
import { formatMs } from '../../src/page/format.ts';
import type { ReportRow, TimedRow } from '../report/rows.ts';
import { logAxis, needsLog, type Chart, type PlotModule } from './chart.ts';
import { rowColor, rowName } from './row-names.ts';

const ROW_HEIGHT = 44;
/** Pixels that Plot's em stands for, in a wide font. */
const FONT_WIDTH = 14;
/** Pixels below which names are short. */
const NARROW = 420;

const keyOf = ({ kind, setting, label }: ReportRow) => [kind, setting, label].join('/');

/** Every run as a dot, the median as a tick; a strip for each network, engine and setting. */
export function latencyChart(rows: readonly TimedRow[]): Chart {
  const samples = samplesOf(rows, (ms) => ms);
  const isLog = needsLog(samples.map(({ x }) => x));
  const [fastest] = [...rows].sort((a, b) => a.times.latencyMs.median - b.times.latencyMs.median);
  const medians = rows.map((row) => `${rowName(row)} ${formatMs(row.times.latencyMs.median)}`);
  return {
    title: `Latency of every run${isLog ? ', logarithmic' : ''}`,
    label: `Latency by network: ${medians.join('; ')}. Fastest: ${rowName(fastest)}.`,
    options: (plot, width) => ({
      ...strips(rows),
      x: {
        label: 'ms per inference',
        type: isLog ? 'log' : 'linear',
        zero: !isLog,
        grid: true,
        ...(isLog ? logAxis(samples.map(({ x }) => x)) : { nice: true, tickSpacing: 70 }),
      },
      marks: [
        ...(isLog
          ? []
          : [
              plot.barX(rows, {
                x: (row: TimedRow) => row.times.latencyMs.median,
                fy: keyOf,
                fill: rowColor,
                fillOpacity: 0.25,
                insetTop: 20,
                insetBottom: 4,
              }),
            ]),
        ...stripMarks(
          plot,
          width,
          rows,
          samples,
          (row) => row.times.latencyMs.median,
          (row) => formatMs(row.times.latencyMs.median),
        ),
      ],
    }),
  };
}

/** Each run against its own median: who is scattered, whatever the speed. */
export function spreadChart(rows: readonly TimedRow[]): Chart {
  const samples = samplesOf(rows, (ms, median) => (ms / median - 1) * 100);
  const widest = [...rows].sort((a, b) => spreadOf(b) - spreadOf(a))[0];
  const [least, most] = [widest.times.latencyMs.min, Math.max(...widest.times.latencySamplesMs)];
  return {
    title: 'Spread: each run against its own median',
    label: `Spread of the runs. Widest: ${rowName(widest)}, from ${formatMs(least)} to ${formatMs(most)}.`,
    options: (plot, width) => ({
      ...strips(rows),
      x: { label: '% above or below the median', grid: true, nice: true, tickSpacing: 70 },
      marks: stripMarks(
        plot,
        width,
        rows,
        samples,
        () => 0,
        (row) => `n = ${row.times.latencyMs.n}`,
      ),
    }),
  };
}

const spreadOf = ({ times: { latencyMs, latencySamplesMs } }: TimedRow) => Math.max(...latencySamplesMs) / latencyMs.min;

function samplesOf(rows: readonly TimedRow[], of: (ms: number, median: number) => number) {
  return rows.flatMap((row) => row.times.latencySamplesMs.map((ms) => ({ row, x: of(ms, row.times.latencyMs.median) })));
}

/** The name stands above its strip: names are long, windows may be narrow. */
function strips(rows: readonly TimedRow[]) {
  return {
    height: rows.length * ROW_HEIGHT + 52,
    marginLeft: 8,
    marginRight: 16,
    marginBottom: 42,
    fy: { domain: rows.map(keyOf), axis: null, padding: 0 },
    y: { axis: null },
  } as const;
}

function stripMarks(
  plot: PlotModule,
  width: number,
  rows: readonly TimedRow[],
  samples: ReturnType<typeof samplesOf>,
  middle: (row: TimedRow) => number,
  note: (row: TimedRow) => string,
): Markish[] {
  return [
    plot.text(rows, {
      fy: keyOf,
      text: (row: TimedRow) => rowName(row, width < NARROW),
      frameAnchor: 'top-left',
      dy: 4,
      fontWeight: 600,
      textOverflow: 'ellipsis',
      lineWidth: (width - 96) / FONT_WIDTH,
    }),
    plot.text(rows, { fy: keyOf, text: note, frameAnchor: 'top-right', dy: 4, fill: 'var(--soft)' }),
    plot.tickX(rows, { x: middle, fy: keyOf, stroke: rowColor, strokeWidth: 2.5, insetTop: 20, insetBottom: 4 }),
    plot.dot(samples, {
      x: 'x',
      fy: ({ row }: { row: TimedRow }) => keyOf(row),
      frameAnchor: 'middle',
      dy: 8,
      r: 3.2,
      fill: ({ row }: { row: TimedRow }) => rowColor(row),
      fillOpacity: 0.7,
    }),
  ];
}

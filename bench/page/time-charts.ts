/** Charts of whole inferences: how long, how scattered, and how time goes with arithmetic. */
import type { Markish } from '@observablehq/plot';
import { formatCount, formatMs } from '../../src/page/format.ts';
import type { BenchReport, Times } from '../report.ts';
import { OUR_ENGINE, reportRows, type ReportRow } from '../report-rows.ts';
import { FLOPS_PER_MAC } from '../roofline.ts';
import { needsLog, type Chart, type PlotModule } from './chart.ts';
import { engineColor, rowColor, rowName } from './row-names.ts';

type TimedRow = ReportRow & { readonly times: Times };

const ROW_HEIGHT = 44;
/** Pixels that Plot's em stands for, in a wide font. */
const FONT_WIDTH = 14;
/** Pixels below which names are short. */
const NARROW = 420;

const keyOf = ({ kind, setting, label }: ReportRow) => [kind, setting, label].join('/');

export function timedRows(report: BenchReport): TimedRow[] {
  return reportRows(report).filter((row): row is TimedRow => row.times !== undefined);
}

/** Every run as a dot, the median as a tick; a strip for each network, engine and setting. */
export function latencyChart(rows: readonly TimedRow[]): Chart {
  const samples = samplesOf(rows, (ms) => ms);
  const isLog = needsLog(samples.map(({ x }) => x));
  const [fastest] = [...rows].sort((a, b) => a.times.latencyMs.median - b.times.latencyMs.median);
  return {
    title: `Latency of every run${isLog ? ', logarithmic' : ''}`,
    label: `Latency by network: ${rows.map((row) => `${rowName(row)} ${formatMs(row.times.latencyMs.median)}`).join('; ')}. Fastest: ${rowName(fastest)}.`,
    options: (plot, width) => ({
      ...strips(rows),
      x: { label: 'ms per inference', type: isLog ? 'log' : 'linear', zero: !isLog, grid: true, ...(isLog ? logAxis(samples.map(({ x }) => x)) : { nice: true, tickSpacing: 70 }) },
      marks: [
        ...(isLog ? [] : [plot.barX(rows, { x: (row: TimedRow) => row.times.latencyMs.median, fy: keyOf, fill: rowColor, fillOpacity: 0.25, insetTop: 20, insetBottom: 4 })]),
        ...stripMarks(plot, width, rows, samples, (row) => row.times.latencyMs.median, (row) => formatMs(row.times.latencyMs.median)),
      ],
    }),
  };
}

/** Each run against its own median: who is scattered, whatever the speed. */
export function spreadChart(rows: readonly TimedRow[]): Chart {
  const samples = samplesOf(rows, (ms, median) => (ms / median - 1) * 100);
  const widest = [...rows].sort((a, b) => spreadOf(b) - spreadOf(a))[0];
  return {
    title: 'Spread: each run against its own median',
    label: `Spread of the runs. Widest: ${rowName(widest)}, from ${formatMs(widest.times.latencyMs.min)} to ${formatMs(Math.max(...widest.times.latencySamplesMs))}.`,
    options: (plot, width) => ({
      ...strips(rows),
      x: { label: '% above or below the median', grid: true, nice: true, tickSpacing: 70 },
      marks: stripMarks(plot, width, rows, samples, () => 0, (row) => `n = ${row.times.latencyMs.n}`),
    }),
  };
}

const spreadOf = ({ times: { latencyMs, latencySamplesMs } }: TimedRow) => Math.max(...latencySamplesMs) / latencyMs.min;

function samplesOf(rows: readonly TimedRow[], of: (ms: number, median: number) => number) {
  return rows.flatMap((row) => row.times.latencySamplesMs.map((ms) => ({ row, x: of(ms, row.times.latencyMs.median) })));
}

/** 1, 2, 5, 10, …, with some room at both ends. */
function logAxis(values: readonly number[]) {
  const isLabelled = (value: number) => /^[125]0*$/.test(String(value).replace(/^0\.0*/, ''));
  return {
    domain: [Math.min(...values) * 0.7, Math.max(...values) * 1.3],
    ticks: 5,
    tickFormat: (value: number) => (isLabelled(value) ? formatCount(value) : ''),
  };
}

/** The name stands above its strip: names are long, windows may be narrow. */
function strips(rows: readonly TimedRow[]) {
  return { height: rows.length * ROW_HEIGHT + 52, marginLeft: 8, marginRight: 16, marginBottom: 42, fy: { domain: rows.map(keyOf), axis: null, padding: 0 }, y: { axis: null } } as const;
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
    plot.text(rows, { fy: keyOf, text: (row: TimedRow) => rowName(row, width < NARROW), frameAnchor: 'top-left', dy: 4, fontWeight: 600, textOverflow: 'ellipsis', lineWidth: (width - 96) / FONT_WIDTH }),
    plot.text(rows, { fy: keyOf, text: note, frameAnchor: 'top-right', dy: 4, fill: 'var(--soft)' }),
    plot.tickX(rows, { x: middle, fy: keyOf, stroke: rowColor, strokeWidth: 2.5, insetTop: 20, insetBottom: 4 }),
    plot.dot(samples, { x: 'x', fy: ({ row }: { row: TimedRow }) => keyOf(row), frameAnchor: 'middle', dy: 8, r: 3.2, fill: ({ row }: { row: TimedRow }) => rowColor(row), fillOpacity: 0.7 }),
  ];
}

/** From here on points stand close to each other. */
const FEW_POINTS = 3;

/** Arithmetic against time, a dot for each network in each engine's best setting; lines lead from plain to CompConv. */
export function scatterChart(rows: readonly TimedRow[]): Chart {
  const best = rows.filter(({ isBest }) => isBest);
  const engines = [...new Map(best.map(({ kind, engine }) => [kind, engine]))];
  // Small networks have none of the larger unit.
  const [unit, divisor] = best.some(({ network }) => network.macs >= 1e9) ? ['GFLOPs', 1e9] : ['MFLOPs', 1e6];
  const flops = ({ network }: TimedRow) => (network.macs * FLOPS_PER_MAC) / divisor;
  const median = ({ times }: TimedRow) => times.latencyMs.median;
  const steps = best.flatMap((row) => {
    const plain = best.find(({ kind, label }) => kind === row.kind && label === row.network.baseline);
    return plain && plain !== row ? [{ plain, row }] : [];
  });
  // Of one architecture, C₀ says which twin it is.
  const isOneArch = new Set(best.map(({ network }) => network.baseline)).size === 1;
  const pointName = ({ label, isPlain, network: { options } }: TimedRow) => (isOneArch && !isPlain && options.c0 !== undefined ? `C₀ ${options.c0}` : label);
  const hasSweep = best.filter(({ kind }) => kind === 'ours').length > FEW_POINTS;
  const isLogX = needsLog(best.map(flops));
  const isLogY = needsLog(best.map(median));
  const byEngine = { fill: ({ kind }: TimedRow) => engineColor(kind), symbol: ({ kind }: TimedRow) => symbolOf(kind) };
  return {
    title: `Arithmetic against time${hasSweep && isOneArch ? '; numbers are C₀' : ''}`,
    label:
      'FLOPs against latency. ' +
      steps.map(({ plain, row }) => `${row.kind === 'ours' ? '' : `${row.engine}: `}${row.label} has ${(flops(plain) / flops(row)).toFixed(2)} times fewer FLOPs and takes ${(median(row) / median(plain)).toFixed(2)} times as long as ${plain.label}`).join('; '),
    legend: engines.map(([kind, engine]) => ({ text: kind === 'ours' ? OUR_ENGINE : engine, color: engineColor(kind) })),
    options: (plot, width) => ({
      height: Math.min(420, Math.max(280, width * 0.6)),
      marginLeft: 52,
      marginBottom: 40,
      marginTop: 24,
      marginRight: 24,
      x: { label: `${unit} per inference →`, labelAnchor: 'right', labelArrow: 'none', type: isLogX ? 'log' : 'linear', zero: !isLogX, grid: true, ...(isLogX ? logAxis(best.map(flops)) : { nice: true, tickSpacing: 90 }) },
      y: { label: '↑ ms (median)', labelArrow: 'none', type: isLogY ? 'log' : 'linear', zero: !isLogY, grid: true, ...(isLogY ? logAxis(best.map(median)) : { nice: true }) },
      symbol: { type: 'identity' },
      marks: [
        plot.arrow(steps, { x1: ({ plain }) => flops(plain), y1: ({ plain }) => median(plain), x2: ({ row }) => flops(row), y2: ({ row }) => median(row), stroke: ({ row }) => engineColor(row.kind), strokeOpacity: 0.6, inset: 7, headLength: 7 }),
        plot.dot(best, { x: flops, y: median, r: 5, ...byEngine }),
        // Names lead away from the edge that they would be cut off at.
        ...(['start', 'end'] as const).map((textAnchor) =>
          plot.text(
            best.filter((row) => row.kind === 'ours' && (flops(row) > 0.6 * Math.max(...best.map(flops))) === (textAnchor === 'end')),
            { x: flops, y: median, text: (row: TimedRow) => (hasSweep ? pointName(row).replace('C₀ ', '') : pointName(row)), dy: 14, textAnchor, fill: 'currentColor', stroke: 'var(--panel)', strokeWidth: 4, paintOrder: 'stroke' },
          ),
        ),
      ] as Markish[],
    }),
  };
}

function symbolOf(kind: string): string {
  return { ours: 'circle', 'ort-web': 'square', 'ort-wasm': 'triangle', tfjs: 'diamond' }[kind] ?? 'star';
}

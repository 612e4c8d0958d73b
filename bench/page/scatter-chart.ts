/** How time goes with arithmetic: FLOPs against latency, in every engine. */
import type { Markish } from '@observablehq/plot';
import { OUR_ENGINE, type TimedRow } from '../report/rows.ts';
import { FLOPS_PER_MAC } from '../roofline.ts';
import { logAxis, needsLog, type Chart } from './chart.ts';
import { engineColor } from './row-names.ts';

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
  const pointName = ({ label, isPlain, network: { options } }: TimedRow) =>
    isOneArch && !isPlain && options.c0 !== undefined ? `C₀ ${options.c0}` : label;
  const hasSweep = best.filter(({ kind }) => kind === 'ours').length > FEW_POINTS;
  const isLogX = needsLog(best.map(flops));
  const isLogY = needsLog(best.map(median));
  const byEngine = { fill: ({ kind }: TimedRow) => engineColor(kind), symbol: ({ kind }: TimedRow) => symbolOf(kind) };
  const findings = steps.map(({ plain, row }) => {
    const fewer = (flops(plain) / flops(row)).toFixed(2);
    const longer = (median(row) / median(plain)).toFixed(2);
    const engine = row.kind === 'ours' ? '' : `${row.engine}: `;
    return `${engine}${row.label} has ${fewer} times fewer FLOPs and takes ${longer} times as long as ${plain.label}`;
  });
  return {
    title: `Arithmetic against time${hasSweep && isOneArch ? '; numbers are C₀' : ''}`,
    label: `FLOPs against latency. ${findings.join('; ')}`,
    legend: engines.map(([kind, engine]) => ({ text: kind === 'ours' ? OUR_ENGINE : engine, color: engineColor(kind) })),
    options: (plot, width) => ({
      height: Math.min(420, Math.max(280, width * 0.6)),
      marginLeft: 52,
      marginBottom: 40,
      marginTop: 24,
      marginRight: 24,
      x: {
        label: `${unit} per inference →`,
        labelAnchor: 'right',
        labelArrow: 'none',
        type: isLogX ? 'log' : 'linear',
        zero: !isLogX,
        grid: true,
        ...(isLogX ? logAxis(best.map(flops)) : { nice: true, tickSpacing: 90 }),
      },
      y: {
        label: '↑ ms (median)',
        labelArrow: 'none',
        type: isLogY ? 'log' : 'linear',
        zero: !isLogY,
        grid: true,
        ...(isLogY ? logAxis(best.map(median)) : { nice: true }),
      },
      symbol: { type: 'identity' },
      marks: [
        plot.arrow(steps, {
          x1: ({ plain }) => flops(plain),
          y1: ({ plain }) => median(plain),
          x2: ({ row }) => flops(row),
          y2: ({ row }) => median(row),
          stroke: ({ row }) => engineColor(row.kind),
          strokeOpacity: 0.6,
          inset: 7,
          headLength: 7,
        }),
        plot.dot(best, { x: flops, y: median, r: 5, ...byEngine }),
        // Names lead away from the edge that they would be cut off at.
        ...(['start', 'end'] as const).map((textAnchor) =>
          plot.text(
            best.filter(
              (row) => row.kind === 'ours' && flops(row) > 0.6 * Math.max(...best.map(flops)) === (textAnchor === 'end'),
            ),
            {
              x: flops,
              y: median,
              text: (row: TimedRow) => (hasSweep ? pointName(row).replace('C₀ ', '') : pointName(row)),
              dy: 14,
              textAnchor,
              fill: 'currentColor',
              stroke: 'var(--panel)',
              strokeWidth: 4,
              paintOrder: 'stroke',
            },
          ),
        ),
      ] as Markish[],
    }),
  };
}

function symbolOf(kind: string): string {
  return { ours: 'circle', 'ort-web': 'square', 'ort-wasm': 'triangle', tfjs: 'diamond' }[kind] ?? 'star';
}

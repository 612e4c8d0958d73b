/** Plain layer against its CompConv: a chart of one measure, and the table of all of them, which can be sorted. */
import type { Markish } from '@observablehq/plot';
import { element } from '../../src/page/dom.ts';
import { formatBytes, formatCount, formatLarge, formatMs } from '../../src/page/format.ts';
import { pairLayers, type LayerPair, type LayerSide, type MeasuredLayer } from '../layer-pairs.ts';
import type { BenchReport, BenchResult, GraphLayer } from '../report.ts';
import { layersCsv } from '../report-csv.ts';
import { figure, type Chart } from './chart.ts';
import { downloadText } from './download.ts';
import { dataTable, shown, type Column } from './table.ts';

/** All networks of a report that have a twin, one at a time; those without one by themselves. */
export function layersView({ networks }: BenchReport): HTMLElement {
  const twins = networks.filter(({ label, baseline }) => label !== baseline);
  const shown = twins.length > 0 ? twins : networks;
  const body = element('div', {});
  const draw = (label: string) => {
    const own = shown.find((network) => network.label === label)!;
    const plain = networks.find((network) => network.label === own.baseline && network !== own);
    body.replaceChildren(...networkView(plain, own));
  };
  const select = element('select', { id: 'layers-network' }, ...shown.map(({ label }) => element('option', { value: label }, label)));
  select.addEventListener('change', () => draw(select.value));
  draw(shown[0].label);
  return element(
    'section',
    { class: 'part', id: 'layers', 'data-part': 'layers' },
    element('h3', {}, 'Layer by layer'),
    shown.length > 1 ? element('p', { class: 'row' }, element('label', { for: 'layers-network' }, 'Network'), select) : undefined,
    body,
  );
}

function networkView(plain: BenchResult | undefined, own: BenchResult): HTMLElement[] {
  const pairs = pairLayers(plain, own);
  const isMeasured = own.layers !== undefined || plain?.layers !== undefined;
  const measures = MEASURES.filter(({ of }) => pairs.some(({ plain, own }) => of(own) !== undefined || of(plain) !== undefined));
  const select = element('select', { id: 'layers-measure' }, ...measures.map(({ title }, i) => element('option', { value: i }, title)));
  const chart = element('div', {});
  const draw = () => chart.replaceChildren(figure(layerChart(measures[Number(select.value)], pairs, plain, own)));
  select.addEventListener('change', draw);
  draw();
  const csv = element('button', { type: 'button', class: 'quiet' }, 'Download the table as CSV');
  csv.addEventListener('click', () => downloadText(`layers-${own.label}.csv`, 'text/csv', layersCsv(plain, own)));
  return [
    element('p', { class: 'note' }, plain ? `${own.label} against ${plain.label}. ` : `${own.label} alone. `, describeMeasurement(isMeasured, own, plain)),
    ...(measures.length > 1 ? [element('p', { class: 'row' }, element('label', { for: 'layers-measure' }, 'Draw'), select)] : []),
    chart,
    dataTable(layerColumns(plain !== undefined, isMeasured), pairs, {
      label: `Layers of ${own.label}`,
      isSortable: true,
      isTall: true,
      keyOf: ({ name }) => name,
    }),
    element('p', { class: 'row' }, csv),
  ];
}

function describeMeasurement(isMeasured: boolean, own: BenchResult, plain: BenchResult | undefined): string {
  if (!isMeasured) return 'Costs by formula; for times, bytes and dispatches tick “Layer by layer” and run again.';
  const sums = [own, plain].flatMap((network) => (network?.layers ? [`${formatMs(network.layers.timeMs)} for ${network.label}, at its rooflines ${formatMs(network.layers.rooflineMs)}`] : []));
  return `Each dispatch was timed alone; together they take ${sums.join(', and ')}. A dispatch that works for two layers is counted with one of them.`;
}

interface Measure {
  readonly title: string;
  readonly unit: string;
  of(side: LayerSide | undefined): number | undefined;
  readonly format: (value: number) => string;
}

const MEASURES: readonly Measure[] = [
  { title: 'GPU time', unit: 'ms', of: (side) => side?.measured?.timeMs, format: formatMs },
  { title: 'MACs', unit: 'MMAC', of: (side) => side && side.macs / 1e6, format: (value) => formatLarge(value * 1e6) },
  { title: 'Bytes moved', unit: 'MB', of: (side) => side?.measured && side.measured.bytes / 1e6, format: (value) => formatBytes(value * 1e6) },
  { title: 'Dispatches', unit: 'dispatches', of: (side) => side?.measured?.dispatches, format: formatCount },
  { title: 'Share of the roofline', unit: '%', of: (side) => side?.measured && side.measured.rooflineShare * 100, format: (value) => `${value.toFixed(0)} %` },
];

const ROW_HEIGHT = 18;

function layerChart({ title, unit, of, format }: Measure, pairs: readonly LayerPair[], plain: BenchResult | undefined, own: BenchResult): Chart {
  const bars = pairs.flatMap((pair) => {
    const [plainValue, ownValue] = [of(pair.plain), of(pair.own)];
    return plainValue === undefined && ownValue === undefined ? [] : [{ name: pair.name, plain: plainValue, own: ownValue }];
  });
  const largest = bars.reduce((a, b) => (Math.max(b.plain ?? 0, b.own ?? 0) > Math.max(a.plain ?? 0, a.own ?? 0) ? b : a));
  const values = [plain && `${format(largest.plain ?? 0)} plain`, `${format(largest.own ?? 0)} with CompConv`].filter(Boolean).join(', ');
  const half = ROW_HEIGHT / 2;
  return {
    title: `${title} of each layer`,
    label: `${title} of ${bars.length} layers${plain ? ', plain against CompConv' : ''}. Largest: ${largest.name}, ${plain ? values : format(largest.own ?? 0)}.`,
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

function layerColumns(isPaired: boolean, isMeasured: boolean): Column<LayerPair>[] {
  return [
    { key: 'layer', title: 'Layer', value: ({ name }) => name },
    ...(isPaired && isMeasured
      ? [{ key: 'speed-up', title: 'Speed-up', hint: 'Plain time divided by the time with CompConv', value: ({ speedUp }: LayerPair) => speedUp, show: shown.ratio }]
      : []),
    ...(isPaired ? [{ key: 'macs-ratio', title: 'MACs saved', hint: 'Plain MACs divided by those with CompConv', value: macsRatio, show: shown.ratio }] : []),
    { key: 'depth', title: 'Depth', hint: 'How often the CompConv divides its channels', value: ({ own }) => own?.depth },
    { key: 'kind', title: 'Kind', value: ({ layer, own }) => layer && describeKind(layer, own?.depth) },
    { key: 'shape', title: 'Shape, C×H×W', value: ({ layer }) => layer && `${imageOf(layer.inputShape)} → ${imageOf(layer.outputShape)}` },
    ...(isPaired ? sideColumns('plain', 'Plain', ({ plain }) => plain) : []),
    ...sideColumns('own', isPaired ? 'With CompConv' : 'This network', ({ own }) => own),
  ];
}

/** Without measurements, those columns have no value and so are left out. */
function sideColumns(prefix: string, group: string, side: (pair: LayerPair) => LayerSide | undefined): Column<LayerPair>[] {
  const measured = (of: (measured: MeasuredLayer) => number | string) => (pair: LayerPair) => {
    const found = side(pair)?.measured;
    return found && of(found);
  };
  const columns: Column<LayerPair>[] = [
    { key: 'time', title: 'GPU time', hint: 'Sum of its dispatches’ medians, each alone', value: measured(({ timeMs }) => timeMs), show: shown.ms },
    { key: 'macs', title: 'MACs', value: (pair) => side(pair)?.macs, show: shown.large },
    { key: 'bytes', title: 'Bytes', hint: 'That its dispatches cannot do without, each once', value: measured(({ bytes }) => bytes), show: shown.bytes },
    { key: 'gflops', title: 'GFLOP/s', value: measured(({ gflopPerS }) => gflopPerS), show: shown.digits },
    { key: 'gbs', title: 'GB/s', value: measured(({ gbPerS }) => gbPerS), show: shown.digits },
    { key: 'roofline', title: 'of roofline', hint: 'The least time that this adapter allows, divided by the time taken', value: measured(({ rooflineShare }) => rooflineShare), show: (value) => `${Math.round(Number(value) * 100)}\u00a0%` },
    { key: 'dispatches', title: 'Dispatches', value: measured(({ dispatches }) => dispatches) },
    { key: 'kernels', title: 'Kernels', value: measured(({ kernels }) => [...kernels].map(([name, count]) => (count > 1 ? `${count} × ${name}` : name)).join(', ')) },
  ];
  return columns.map((column) => ({ ...column, key: `${prefix}-${column.key}`, group }));
}

function macsRatio({ plain, own }: LayerPair): number | undefined {
  return plain && own && own.macs > 0 ? plain.macs / own.macs : undefined;
}

function describeKind({ op, kernelSize, stride }: GraphLayer, depth: number | undefined): string {
  const name = depth === undefined ? op : 'comp-conv';
  return kernelSize === undefined ? name : `${name} ${kernelSize}×${kernelSize}${stride === 1 ? '' : `, stride ${stride}`}`;
}

/** `[N, C, H, W]` as `C×H×W`; a vector as its length. */
function imageOf([, c, h, w]: readonly number[]): string {
  return h === 1 && w === 1 ? String(c) : `${c}×${h}×${w}`;
}

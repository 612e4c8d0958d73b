/** Plain layer against its CompConv: a chart of one measure, and the table of all of them, which can be sorted. */
import { element } from '../../src/page/dom.ts';
import { formatMs, formatPercent } from '../../src/page/format.ts';
import { pairLayers } from '../report/layer-pairs.ts';
import type { BenchReport, BenchResult } from '../report.ts';
import { layersCsv } from '../report/csv.ts';
import { figure } from './chart.ts';
import { downloadText } from './download.ts';
import { layerChart, MEASURES } from './layer-chart.ts';
import { layerColumns } from './layer-columns.ts';
import { missedBudget, type SearchReport } from '../search/report.ts';
import { dataTable } from './table.ts';

/** All networks of a report that have a twin, one at a time; those without one by themselves. */
export function layersView({ networks }: BenchReport, search: SearchReport | undefined): HTMLElement {
  const twins = networks.filter(({ label, baseline }) => label !== baseline);
  const shown = twins.length > 0 ? twins : networks;
  const body = element('div', {});
  const draw = (label: string) => {
    const own = shown.find((network) => network.label === label)!;
    const plain = networks.find((network) => network.label === own.baseline && network !== own);
    body.replaceChildren(...networkView(plain, own, search && isOf(search, own) ? search : undefined));
  };
  const select = element(
    'select',
    { id: 'layers-network' },
    ...shown.map(({ label }) => element('option', { value: label }, label)),
  );
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

function networkView(plain: BenchResult | undefined, own: BenchResult, search: SearchReport | undefined): HTMLElement[] {
  const pairs = pairLayers(plain, own);
  const isMeasured = own.layers !== undefined || plain?.layers !== undefined;
  const measures = MEASURES.filter(({ of }) => pairs.some(({ plain, own }) => of(own) !== undefined || of(plain) !== undefined));
  const select = element(
    'select',
    { id: 'layers-measure' },
    ...measures.map(({ title }, i) => element('option', { value: i }, title)),
  );
  const chart = element('div', {});
  const draw = () => chart.replaceChildren(figure(layerChart(measures[Number(select.value)], pairs, plain, own)));
  select.addEventListener('change', draw);
  draw();
  const csv = element('button', { type: 'button', class: 'quiet' }, 'Download the table as CSV');
  csv.addEventListener('click', () => downloadText(`layers-${own.label}.csv`, 'text/csv', layersCsv(plain, own)));
  return [
    element(
      'p',
      { class: 'note' },
      plain ? `${own.label} against ${plain.label}. ` : `${own.label} alone. `,
      describeMeasurement(isMeasured, own, plain),
    ),
    ...(search ? [element('p', { class: 'note', id: 'search-text' }, describeSearch(search))] : []),
    ...(measures.length > 1 ? [element('p', { class: 'row' }, element('label', { for: 'layers-measure' }, 'Draw'), select)] : []),
    chart,
    dataTable(layerColumns(plain ? 'With CompConv' : 'This network', search), pairs, {
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
  const sums = [own, plain].flatMap((network) =>
    network?.layers
      ? [`${formatMs(network.layers.timeMs)} for ${network.label}, at its rooflines ${formatMs(network.layers.rooflineMs)}`]
      : [],
  );
  return (
    `Each dispatch was timed alone; together they take ${sums.join(', and ')}. ` +
    'A dispatch that works for two layers is counted with one of them.'
  );
}

/** Whether a network has the depths that a search chose. */
function isOf({ layers }: SearchReport, { graphLayers }: BenchResult): boolean {
  const depths = new Map(graphLayers.map(({ name, depth }) => [name, depth ?? 0]));
  return layers.every(({ layer, depth }) => depths.get(layer) === depth);
}

function describeSearch(search: SearchReport): string {
  const { adapter, network, inputShape, budget, objective, plain, searched } = search;
  const missed = missedBudget(search, formatPercent);
  const [n, c, h, w] = inputShape;
  const wanted =
    'params' in budget
      ? `the fastest within ${formatPercent(budget.params)} of the parameters of its convolutions`
      : `${objective === 'params' ? 'the most parameters' : 'the least loss'} within ${formatPercent(budget.latency)} of the plain time`;
  return (
    `Its depths are from a search on ${adapter} (${network}, input ${n}×${c}×${h}×${w}): ${wanted}. ` +
    `Predicted ${formatMs(searched.predictedMs)} instead of ${formatMs(plain.predictedMs)}, measured ${formatMs(searched.measuredMs)} instead of ${formatMs(plain.measuredMs)}` +
    `${missed === undefined ? '' : `; ${missed}`}.`
  );
}

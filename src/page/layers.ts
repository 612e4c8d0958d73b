/** The table of layers: where CompConv saves its multiply-accumulates, and where it does not. */
import type { LayerCost, NetworkCost } from '../index.ts';
import { byId, element } from './dom.ts';
import { formatCount, formatRatio } from './format.ts';

/** Two networks of the same architecture: their layers have the same names. */
export function showLayers(plain: NetworkCost, compConv: NetworkCost): void {
  const twins = new Map(plain.layers.map((layer) => [layer.name, layer]));
  const rows = compConv.layers
    .filter(({ macs }) => macs > 0)
    .map((layer) => {
      const twin = twins.get(layer.name);
      return row(layer.name, describeOp(layer), shapeOf(layer), twin?.macs ?? 0, layer.macs);
    });
  const headings = ['Layer', 'Kind with CompConv', 'Output', 'MACs plain', 'MACs CompConv', 'Ratio'];
  byId('layer-table').replaceChildren(
    element('thead', {}, element('tr', {}, ...headings.map((text) => element('th', { scope: 'col' }, text)))),
    element('tbody', {}, ...rows),
    element('tfoot', {}, row('Total', '', '', plain.total.macs, compConv.total.macs)),
  );
}

function row(name: string, op: string, shape: string, plainMacs: number, compConvMacs: number): HTMLElement {
  return element(
    'tr',
    {},
    element('th', { scope: 'row' }, name),
    element('td', {}, op),
    element('td', {}, shape),
    element('td', { class: 'number' }, formatCount(plainMacs)),
    element('td', { class: 'number' }, formatCount(compConvMacs)),
    element('td', { class: 'number' }, formatRatio(plainMacs / compConvMacs)),
  );
}

function describeOp({ op, depth }: LayerCost): string {
  return depth === undefined ? op : `${op}, depth ${depth}`;
}

function shapeOf({ output: { h, w, c } }: LayerCost): string {
  return h === 1 && w === 1 ? String(c) : `${h}×${w}×${c}`;
}

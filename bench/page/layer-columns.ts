/** The columns of the table of layers; those without any value are left out of it. */
import type { LayerPair, LayerSide, MeasuredLayer } from '../report/layer-pairs.ts';
import type { GraphLayer } from '../report.ts';
import { element } from '../../src/page/dom.ts';
import { formatMs } from '../../src/page/format.ts';
import { whyDepth, type SearchReport } from '../search/report.ts';
import { shown, type Column } from './table.ts';

/**
 * @param ownTitle heading of the network's own columns
 * @param search that chose the depths
 */
export function layerColumns(ownTitle: string, search?: SearchReport): Column<LayerPair>[] {
  return [
    { key: 'layer', title: 'Layer', value: ({ name }) => name },
    {
      key: 'speed-up',
      title: 'Speed-up',
      hint: 'Plain time divided by the time with CompConv',
      value: ({ speedUp }) => speedUp,
      show: shown.ratio,
    },
    {
      key: 'macs-ratio',
      title: 'MACs saved',
      hint: 'Plain MACs divided by those with CompConv',
      value: macsRatio,
      show: shown.ratio,
    },
    { key: 'depth', title: 'Depth', hint: 'How often the CompConv divides its channels', value: ({ own }) => own?.depth },
    ...(search ? searchColumns(search) : []),
    { key: 'kind', title: 'Kind', value: ({ layer, own }) => layer && describeKind(layer, own?.depth) },
    {
      key: 'shape',
      title: 'Shape, C×H×W',
      value: ({ layer }) => layer && `${imageOf(layer.inputShape)} → ${imageOf(layer.outputShape)}`,
    },
    ...sideColumns('plain', 'Plain', ({ plain }) => plain),
    ...sideColumns('own', ownTitle, ({ own }) => own),
  ];
}

/** What the search measured of a layer at each depth, and why it has the one it has. */
function searchColumns({ layers, objective }: SearchReport): Column<LayerPair>[] {
  const searched = new Map(layers.map((layer) => [layer.layer, layer]));
  const columns = [0, 1, 2, 3].map((depth): Column<LayerPair> => ({
    key: `search-${depth}`,
    title: `Depth ${depth}`,
    hint: 'What the layer took at this depth when the depths were searched for',
    value: ({ name }) => searched.get(name)?.options.find((option) => option.depth === depth)?.ms,
    show: (ms, { own }) => (depth === (own?.depth ?? 0) ? element('strong', {}, shown.ms(ms)) : shown.ms(ms)),
  }));
  const why: Column<LayerPair> = {
    key: 'search-why',
    title: 'Why this depth',
    value: ({ name }) => searched.has(name) ? whyDepth(searched.get(name)!, objective, formatMs) : undefined,
  };
  return [...columns, why].map((column) => ({ ...column, group: 'Chosen by latency' }));
}

function sideColumns(prefix: string, group: string, side: (pair: LayerPair) => LayerSide | undefined): Column<LayerPair>[] {
  const measured = (of: (measured: MeasuredLayer) => number | string) => (pair: LayerPair) => {
    const found = side(pair)?.measured;
    return found && of(found);
  };
  const columns: Column<LayerPair>[] = [
    {
      key: 'time',
      title: 'GPU time',
      hint: 'Sum of its dispatches’ medians, each alone',
      value: measured(({ timeMs }) => timeMs),
      show: shown.ms,
    },
    { key: 'macs', title: 'MACs', value: (pair) => side(pair)?.macs, show: shown.large },
    {
      key: 'bytes',
      title: 'Bytes',
      hint: 'That its dispatches cannot do without, each once',
      value: measured(({ bytes }) => bytes),
      show: shown.bytes,
    },
    { key: 'gflops', title: 'GFLOP/s', value: measured(({ gflopPerS }) => gflopPerS), show: shown.digits },
    { key: 'gbs', title: 'GB/s', value: measured(({ gbPerS }) => gbPerS), show: shown.digits },
    {
      key: 'roofline',
      title: 'of roofline',
      hint: 'The least time that this adapter allows, divided by the time taken',
      value: measured(({ rooflineShare }) => rooflineShare),
      show: (value) => `${Math.round(Number(value) * 100)}\u00a0%`,
    },
    { key: 'dispatches', title: 'Dispatches', value: measured(({ dispatches }) => dispatches) },
    {
      key: 'kernels',
      title: 'Kernels',
      value: measured(({ kernels }) => [...kernels].map(([name, count]) => (count > 1 ? `${count} × ${name}` : name)).join(', ')),
    },
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

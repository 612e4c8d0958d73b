/** The table of networks side by side: what they cost, what they took, how often they were right. */
import { byId, element } from './dom.ts';
import { formatBytes, formatCount, formatLarge, formatMs, formatPercent, formatRatio } from './format.ts';
import { describeKind, type LoadedNetwork, type NetworkId, type PlanView, type Times } from './networks.ts';

/** What is known of one network so far. */
export interface Entry {
  readonly network: LoadedNetwork & PlanView;
  readonly times?: Times;
  /** Right answers among the bundled images; absent where its classes are others. */
  readonly correct?: number;
  /** Right answers in the whole test set, from PyTorch. */
  readonly testSetCorrect?: number;
}

interface Measure {
  readonly key: string;
  readonly label: string;
  readonly title?: string;
  readonly of: (entry: Entry) => number | undefined;
  readonly format: (value: number) => string;
  /** How CompConv stands to plain. */
  readonly compare?: (plain: number, compConv: number) => string;
}

const fewer = (plain: number, compConv: number) => compareBy(plain / compConv, 'fewer', 'more');
const smaller = (plain: number, compConv: number) => compareBy(plain / compConv, 'smaller', 'larger');
const faster = (plain: number, compConv: number) => {
  const speed = (plain / compConv).toFixed(2);
  return Number(speed) < 1 ? `slower: ${speed}× as fast` : `${speed}× as fast`;
};
const moreRight = (plain: number, compConv: number) => {
  if (plain === compConv) return 'the same';
  return plain > compConv ? `${formatCount(plain - compConv)} fewer` : `${formatCount(compConv - plain)} more`;
};

function compareBy(ratio: number, less: string, more: string): string {
  if (ratio > 0.995 && ratio < 1.005) return 'the same';
  return ratio > 1 ? `${formatRatio(ratio)} ${less}` : `${formatRatio(1 / ratio)} ${more}`;
}

function measures(samples: number, testSetImages: number): Measure[] {
  return [
    {
      key: 'correct',
      label: `Right, of these ${samples}`,
      of: ({ correct }) => correct,
      format: (value) => `${value} of ${samples}`,
      compare: moreRight,
    },
    {
      key: 'test-set',
      label: `Right, of ${formatCount(testSetImages)}`,
      title: 'The whole Fashion-MNIST test set, as PyTorch counts it with these weights',
      of: ({ testSetCorrect }) => testSetCorrect,
      format: (value) => `${formatCount(value)} (${formatPercent(value / testSetImages)})`,
      compare: moreRight,
    },
    {
      key: 'macs',
      label: 'MACs',
      title: 'Multiply-accumulates per picture; the CompConv paper calls these FLOPs',
      of: ({ network }) => network.cost.total.macs,
      format: formatLarge,
      compare: fewer,
    },
    {
      key: 'flops',
      label: 'FLOPs',
      title: 'Floating-point operations per picture: two for each multiply-accumulate',
      of: ({ network }) => network.cost.total.flops,
      format: formatLarge,
      compare: fewer,
    },
    {
      key: 'params',
      label: 'Parameters',
      of: ({ network }) => network.cost.total.params,
      format: formatLarge,
      compare: fewer,
    },
    { key: 'file-bytes', label: 'File', of: ({ network }) => network.fileBytes, format: formatBytes, compare: smaller },
    {
      key: 'dispatches',
      label: 'Dispatches',
      title: 'Kernel launches per picture',
      of: ({ network }) => network.plan?.dispatches,
      format: formatCount,
      compare: fewer,
    },
    {
      key: 'pipelines',
      label: 'Pipelines',
      title: 'Different kernels to compile',
      of: ({ network }) => network.plan?.pipelines,
      format: formatCount,
      compare: fewer,
    },
    {
      key: 'latency',
      label: 'Time per picture',
      title: 'Median, from handing over the picture to having the answer',
      of: ({ times }) => times?.latencyMs,
      format: formatMs,
      compare: faster,
    },
    {
      key: 'gpu-time',
      label: 'GPU time',
      title: 'Median of the network alone, by the GPU’s own clock; browsers round it, Chromium to 65.5 µs',
      of: ({ times }) => times?.gpuTimeMs,
      format: formatMs,
      compare: faster,
    },
  ];
}

/** Draws the table from what is known; measures that nothing has yet are left out. */
export function showComparison(
  entries: ReadonlyMap<NetworkId, Entry>,
  { samples, testSetImages }: { readonly samples: number; readonly testSetImages: number },
): void {
  const plain = entries.get('plain');
  const compConv = entries.get('compconv');
  const own = entries.get('own');
  const columns = [plain, compConv].filter((entry) => entry !== undefined);
  const both = plain && compConv;

  const head = element(
    'tr',
    {},
    element('td', {}),
    ...columns.map(networkHead),
    both && element('th', { scope: 'col' }, 'CompConv against plain'),
    own && networkHead(own),
  );
  const rows = measures(samples, testSetImages)
    .filter(({ of }) => [...entries.values()].some((entry) => of(entry) !== undefined))
    .map((measure) =>
      element(
        'tr',
        { 'data-measure': measure.key },
        element('th', { scope: 'row', title: measure.title }, measure.label),
        ...columns.map((entry) => valueCell(measure, entry)),
        both && element('td', { class: 'against' }, against(measure, plain, compConv)),
        own && valueCell(measure, own),
      ),
    );
  byId('comparison-table').replaceChildren(element('thead', {}, head), element('tbody', {}, ...rows));
  byId('comparison').hidden = false;
}

function networkHead({ network }: Entry): HTMLElement {
  return element(
    'th',
    { scope: 'col', 'data-network': network.id },
    network.title,
    element('span', { class: 'kind' }, describeKind(network)),
    ...(network.id === 'own'
      ? [element('span', { class: 'kind file' }, `${network.model.graph.name}, ${network.fileName}`)]
      : []),
  );
}

function valueCell({ key, of, format }: Measure, entry: Entry): HTMLElement {
  const value = of(entry);
  const data = { 'data-network': entry.network.id, 'data-measure': key };
  if (value === undefined) return element('td', { ...data, class: 'number' }, '–');
  const text = format(value);
  const exact = Number.isInteger(value) && formatCount(value) !== text ? formatCount(value) : undefined;
  return element('td', { ...data, class: 'number', 'data-value': value, title: exact }, text);
}

function against({ of, compare }: Measure, plain: Entry, compConv: Entry): string {
  const [a, b] = [of(plain), of(compConv)];
  return compare && a !== undefined && b !== undefined ? compare(a, b) : '';
}

/** Other engines: times beside ours and within themselves, what loading them took, and what of them did not work. */
import { element } from '../../src/page/dom.ts';
import type { BenchReport, PeerResult } from '../report.ts';
import { describePeers } from '../report/findings.ts';
import { reportRows, type ReportRow } from '../report/rows.ts';
import { dataTable, shown, type Column } from './table.ts';
import { errorText, MEDIAN, SPREAD } from './times-view.ts';

export function peersView(report: BenchReport): HTMLElement[] {
  const { peers = [] } = report;
  if (peers.length === 0) return [];
  const rows = reportRows(report).filter(({ kind }) => kind !== 'ours');
  const loaded = peers.filter(({ load }) => load);
  const problems = problemsOf(peers);
  return [
    element(
      'section',
      { class: 'part', 'data-part': 'peers' },
      element('h3', {}, 'Other engines'),
      ...describePeers(report).map((text) => element('p', {}, text)),
      dataTable(COLUMNS, rows, { label: 'Other engines', isSortable: true, keyOf: rowKey }),
      element(
        'p',
        { class: 'note' },
        'The same networks, weights and input; on the same adapter, but for WebAssembly, which runs on the processor. A tick marks an ' +
          'engine’s fastest setting on a network.',
      ),
      ...(problems.length > 0
        ? [
            element('h4', {}, 'What did not work'),
            element('ul', { class: 'notes' }, ...problems.map((problem) => element('li', {}, problem))),
          ]
        : []),
      ...(loaded.length > 0
        ? [element('h4', {}, 'Loading them'), dataTable(LOAD_COLUMNS, loaded, { label: 'Loading other engines' })]
        : []),
    ),
  ];
}

function rowKey({ kind, setting, label }: ReportRow): string {
  return [kind, setting, label].join('/');
}

const COLUMNS: readonly Column<ReportRow>[] = [
  { key: 'engine', title: 'Engine', value: ({ engine }) => engine },
  {
    key: 'setting',
    title: 'Setting',
    value: ({ setting }) => setting || undefined,
    show: (value, { isBest }) => `${value}${isBest ? ' ✓' : ''}`,
  },
  { key: 'network', title: 'Network', value: ({ label }) => label },
  MEDIAN,
  {
    key: 'times-ours',
    title: 'times ours',
    hint: 'Its median divided by ours on the same network',
    value: ({ timesOurs }) => timesOurs,
    show: shown.ratio,
  },
  {
    key: 'speed-up',
    title: 'vs its plain',
    hint: 'Its best plain median divided by this one: what CompConv buys in that engine',
    value: ({ speedUp }) => speedUp,
    show: shown.ratio,
  },
  ...SPREAD,
  {
    key: 'error',
    title: 'Off from ours',
    hint: 'Relative L2 of its logits against ours',
    value: ({ relativeError }) => relativeError ?? undefined,
    show: (_, row) => errorText(row),
    missing: errorText,
  },
];

const LOAD_COLUMNS: readonly Column<PeerResult>[] = [
  { key: 'engine', title: 'Engine', value: ({ title }) => title },
  { key: 'setting', title: 'Setting', value: ({ setting }) => setting },
  { key: 'network', title: 'Network', value: ({ label }) => label },
  { key: 'download', title: 'Download and start', hint: 'Of the library, once', value: ({ load }) => load!.downloadMs, show: shown.ms },
  { key: 'bytes', title: 'Size', value: ({ load }) => load!.downloadBytes, show: shown.bytes },
  { key: 'export', title: 'Weights made', hint: 'And the ONNX file, where it loads one', value: ({ load }) => load!.exportMs, show: shown.ms },
  {
    key: 'create',
    title: 'Create',
    hint: 'From the weights to a session that can run',
    value: ({ load }) => load!.createMs,
    show: shown.ms,
  },
  { key: 'first-run', title: 'First run', value: ({ load }) => load!.firstRunMs, show: shown.ms },
  { key: 'total', title: 'To first result', hint: 'Create and first run', value: ({ load }) => load!.totalMs, show: shown.ms },
];

/** Each once, with the networks that it concerns. */
function problemsOf(peers: readonly PeerResult[]): string[] {
  const labels = new Map<string, string[]>();
  for (const { title, setting, label, notes, problem } of peers) {
    for (const text of [...notes, ...(problem === undefined ? [] : [`no time: ${problem}`])]) {
      const key = `${title}${setting && `, ${setting}`}: ${text}`;
      labels.set(key, [...(labels.get(key) ?? []), label]);
    }
  }
  return [...labels].map(([text, concerned]) => `${text} (${concerned.join(', ')})`);
}

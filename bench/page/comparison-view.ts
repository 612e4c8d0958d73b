/** Two reports side by side, A against B: medians, ratios, and what else differs between them. */
import { byId, element } from '../../src/page/dom.ts';
import type { BenchReport } from '../report.ts';
import { compareReports, type ComparedRow } from '../report/comparison.ts';
import type { ReportRow } from '../report/rows.ts';
import { factList } from './facts.ts';
import { dataTable, shown, type Column } from './table.ts';

export interface NamedReport {
  readonly name: string;
  readonly report: BenchReport;
}

export function showComparison(a: NamedReport, b: NamedReport): void {
  const { rows, differences } = compareReports(a.report, b.report);
  const section = byId('comparison');
  section.replaceChildren(
    element('h2', { id: 'comparison-title', tabindex: -1 }, 'Two reports side by side'),
    factList([
      ['A', describe(a)],
      ['B', describe(b)],
    ]),
    differences.length > 0
      ? element(
          'div',
          { class: 'notice warn', id: 'differences' },
          element('p', { class: 'title' }, 'They were not made alike'),
          element(
            'ul',
            { class: 'notes' },
            ...differences.map((difference) =>
              element('li', {}, `${difference.what}: ${difference.a || 'none'} in A, ${difference.b || 'none'} in B`),
            ),
          ),
        )
      : element('p', { class: 'note' }, 'Same adapter, versions and options in both.'),
    ...(rows.some(({ a, b }) => a && b) ? [] : [element('p', {}, 'They have no network in common.')]),
    dataTable(COLUMNS, rows, {
      label: 'Medians of both reports',
      isSortable: true,
      keyOf: ({ label, engine, setting }) => [label, engine, setting].filter(Boolean).join('/'),
    }),
    element('p', { class: 'note' }, 'B against A: above 1 B is faster.'),
  );
  section.hidden = false;
  section.scrollIntoView({ block: 'start' });
  byId('comparison-title').focus({ preventScroll: true });
}

function describe({ name, report }: NamedReport): string {
  return `${name}: ${report.adapter.name}, ${report.date.slice(0, 10)}`;
}

function whyNot(row: ReportRow | undefined): string {
  if (!row) return 'not in it';
  return row.problem === undefined ? 'not timed' : 'no time: failed';
}

const COLUMNS: readonly Column<ComparedRow>[] = [
  { key: 'network', title: 'Network', value: ({ label }) => label },
  { key: 'engine', title: 'Engine', value: ({ engine, setting }) => [engine, setting].filter(Boolean).join(', ') },
  { key: 'a', title: 'Median in A', value: ({ a }) => a?.times?.latencyMs.median, show: shown.ms, missing: ({ a }) => whyNot(a) },
  { key: 'b', title: 'Median in B', value: ({ b }) => b?.times?.latencyMs.median, show: shown.ms, missing: ({ b }) => whyNot(b) },
  {
    key: 'ratio',
    title: 'B is',
    hint: 'Median in A divided by the one in B',
    value: ({ ratio }) => ratio,
    show: (value) => `${Number(value).toFixed(2)}× as fast`,
  },
  { key: 'speed-up-a', title: 'CompConv buys in A', value: ({ a }) => a?.speedUp, show: shown.ratio },
  { key: 'speed-up-b', title: 'in B', value: ({ b }) => b?.speedUp, show: shown.ratio },
];

/** Tables of a report: columns as data, and, where asked for, headings that sort, by mouse and keyboard alike. */
import { element, type Child } from '../../src/page/dom.ts';
import { formatSpeed } from '../../src/page/finding.ts';
import { formatBytes, formatCount, formatDigits, formatLarge, formatMs, formatPercent } from '../../src/page/format.ts';

export interface Column<Row> {
  readonly key: string;
  readonly title: string;
  /** What it means, for those who point at it. */
  readonly hint?: string;
  /** Columns of one group stand under one heading. */
  readonly group?: string;
  /** What it sorts by; undefined where there is nothing, which sorts last. */
  value(row: Row): number | string | undefined;
  /** What it shows; default the value, or a dash. */
  show?(value: number | string, row: Row): Child;
  /** Instead of a dash, where there is no value. */
  missing?(row: Row): Child;
}

/** Formats of cells with numbers. */
export const shown = {
  ms: numeric(formatMs),
  ratio: numeric(formatSpeed),
  count: numeric(formatCount),
  large: numeric(formatLarge),
  bytes: numeric(formatBytes),
  digits: numeric(formatDigits),
  percent: numeric(formatPercent),
};

function numeric(format: (value: number) => string): (value: number | string) => string {
  return (value) => format(Number(value));
}

export interface TableOptions<Row> {
  /** Of the region around it, for screen readers. */
  readonly label: string;
  readonly isSortable?: boolean;
  readonly keyOf?: (row: Row) => string;
  /** Higher than the window: scrolls by itself. */
  readonly isTall?: boolean;
}

/** A table in a region that scrolls. The first column heads the rows; columns without any value are left out. */
export function dataTable<Row>(all: readonly Column<Row>[], rows: readonly Row[], options: TableOptions<Row>): HTMLElement {
  const { label, isSortable = false, isTall = false } = options;
  // What nothing has a value for says nothing.
  const columns = all.filter(({ value, missing }) => missing !== undefined || rows.some((row) => value(row) !== undefined));
  const numeric = new Set(
    columns
      .slice(1)
      .filter(({ value }) => rows.some((row) => typeof value(row) === 'number'))
      .map(({ key }) => key),
  );
  const body = element('tbody', {}, ...rows.map((row) => tableRow(columns, row, numeric, options)));
  const heads = columns.map(({ key, title, hint }) => {
    const head = element('th', { scope: 'col', title: hint, class: numeric.has(key) ? 'number' : undefined, 'data-key': key });
    head.append(isSortable ? element('button', { type: 'button' }, title) : title);
    return head;
  });
  if (isSortable) makeSortable(heads, columns, rows, body, numeric);
  return element(
    'div',
    { class: isTall ? 'scroll tall' : 'scroll', tabindex: 0, role: 'region', 'aria-label': label },
    element('table', { class: 'data' }, element('thead', {}, groupRow(columns), element('tr', {}, ...heads)), body),
  );
}

function tableRow<Row>(
  columns: readonly Column<Row>[],
  row: Row,
  numeric: ReadonlySet<string>,
  { keyOf }: TableOptions<Row>,
): HTMLElement {
  const cells = columns.map(({ key, value, show, missing }, i) => {
    const found = value(row);
    const data = {
      'data-key': key,
      'data-value': found,
      class: numeric.has(key) ? 'number' : undefined,
    };
    const text = found === undefined ? (missing?.(row) ?? '–') : show ? show(found, row) : String(found);
    return i === 0 ? element('th', { scope: 'row', ...data }, text) : element('td', data, text);
  });
  return element('tr', { 'data-row': keyOf?.(row) }, ...cells);
}

/** The row of group headings; none where no column has one. */
function groupRow<Row>(columns: readonly Column<Row>[]): HTMLElement | undefined {
  if (columns.every(({ group }) => group === undefined)) return undefined;
  const groups: { title: string; span: number }[] = [];
  for (const { group = '' } of columns) {
    const last = groups.at(-1);
    if (last?.title === group) last.span++;
    else groups.push({ title: group, span: 1 });
  }
  return element(
    'tr',
    { class: 'groups' },
    ...groups.map(({ title, span }) =>
      title ? element('th', { scope: 'colgroup', colspan: span }, title) : element('td', { colspan: span }),
    ),
  );
}

/** Numbers from the largest, texts from A; a second time the other way. */
function makeSortable<Row>(
  heads: readonly HTMLElement[],
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  body: HTMLElement,
  numeric: ReadonlySet<string>,
): void {
  const lines = rows.map((row, i) => ({ row, line: body.children[i] }));
  for (const [i, { key, value }] of columns.entries()) {
    heads[i].querySelector('button')!.addEventListener('click', () => {
      const before = heads[i].getAttribute('aria-sort');
      const isDescending = before === null ? numeric.has(key) : before === 'ascending';
      for (const head of heads) head.removeAttribute('aria-sort');
      heads[i].setAttribute('aria-sort', isDescending ? 'descending' : 'ascending');
      const sorted = [...lines].sort((a, b) => compare(value(a.row), value(b.row), isDescending ? -1 : 1));
      body.replaceChildren(...sorted.map(({ line }) => line));
    });
  }
}

function compare(a: number | string | undefined, b: number | string | undefined, direction: number): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  if (typeof a === 'number' && typeof b === 'number') return direction * (a - b);
  return direction * String(a).localeCompare(String(b), 'en', { numeric: true });
}

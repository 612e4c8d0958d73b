/** Two reports against each other: medians side by side, and what differs in how they were made. Pure. */
import { formatLarge } from '../../src/page/format.ts';
import type { NetworkOptions } from '../../src/models/network.ts';
import type { BenchReport } from '../report.ts';
import { reportRows, type ReportRow } from './rows.ts';

export interface ComparedRow {
  readonly engine: string;
  readonly setting: string;
  readonly label: string;
  readonly a?: ReportRow;
  readonly b?: ReportRow;
  /** Median latency of A divided by B's: above 1, B is faster. */
  readonly ratio?: number;
}

/** Something that is not the same in both; empty text stands for nothing. */
export interface Difference {
  readonly what: string;
  readonly a: string;
  readonly b: string;
}

export interface ReportComparison {
  readonly rows: readonly ComparedRow[];
  readonly differences: readonly Difference[];
}

/** Rows of A in its order, then those that only B has. The same is what has the same network, engine and setting. */
export function compareReports(a: BenchReport, b: BenchReport): ReportComparison {
  const [rowsA, rowsB] = [a, b].map((report) => new Map(reportRows(report).map((row) => [keyOf(row), row])));
  const keys = new Set([...rowsA.keys(), ...rowsB.keys()]);
  const rows = [...keys].map((key): ComparedRow => {
    const [rowA, rowB] = [rowsA.get(key), rowsB.get(key)];
    const { engine, setting, label } = (rowA ?? rowB)!;
    const ratio = rowA?.times && rowB?.times ? rowA.times.latencyMs.median / rowB.times.latencyMs.median : undefined;
    return { engine, setting, label, ...(rowA && { a: rowA }), ...(rowB && { b: rowB }), ...(ratio !== undefined && { ratio }) };
  });
  return { rows, differences: differencesBetween(a, b) };
}

/** By the engine's short name: another version of it is a difference that is pointed out, not another row. */
function keyOf({ kind, setting, label }: ReportRow): string {
  return JSON.stringify([kind, setting, label]);
}

function differencesBetween(a: BenchReport, b: BenchReport): Difference[] {
  const [factsA, factsB] = [factsOf(a), factsOf(b)];
  const names = new Set([...factsA.keys(), ...factsB.keys()]);
  return [...names].flatMap((what) => {
    const [ofA, ofB] = [factsA.get(what) ?? '', factsB.get(what) ?? ''];
    // What only one says of a network is of one that only it has, which its row tells.
    const isLone = [INPUT_OF, LAYERS_OF].some((prefix) => what.startsWith(prefix)) && (ofA === '' || ofB === '');
    return ofA === ofB || isLone ? [] : [{ what, a: ofA, b: ofB }];
  });
}

const INPUT_OF = 'input of ';
const LAYERS_OF = 'layers of ';

/** What decides on times besides the networks. */
function factsOf({ adapter, versions, options, networks, peers = [] }: BenchReport): Map<string, string> {
  const shapes = networks.map(({ label, inputShape }): [string, string] => [INPUT_OF + label, inputShape.join('×')]);
  const layers = networks.map(({ label, options, macs, params }): [string, string] => [LAYERS_OF + label, describeLayers(options, macs, params)]);
  const titles = peers.map(({ peer, title }): [string, string] => [peer, title]);
  return new Map([
    ['adapter', adapter.name],
    ['driver', adapter.driver],
    ['adapter features', adapter.features.join(', ')],
    ...Object.entries(versions),
    ...titles,
    ['batch', String(options.batch)],
    ['runs', String(options.runs)],
    ['dtype', options.dtype],
    ['schedule', options.schedule],
    ['passes left out', options.withoutPasses.join(', ')],
    ['passes forced', options.forcedPasses.join(', ')],
    ['tuned', options.tuned ? 'yes' : 'no'],
    ['seed', String(options.seed)],
    ['networks', networks.map(({ label }) => label).join(', ')],
    ...shapes,
    ...layers,
  ]);
}

/** What a network is beyond its label: two of the same name may have other depths. */
function describeLayers({ arch: _, c0: __, depths = {}, ...others }: NetworkOptions, macs: number, params: number): string {
  const entries = [...Object.entries(depths), ...Object.entries(others)].sort();
  return [`${formatLarge(macs)} MACs`, `${formatLarge(params)} parameters`, ...entries.map(([name, value]) => `${name} ${value}`)].join(', ');
}

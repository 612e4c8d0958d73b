/** A saved report back from its file: checked against the schema, since what draws it trusts every field. */
import { CompConvError } from '../../src/errors.ts';
import { schemaProblems } from './json-schema.ts';
import type { BenchReport } from '../report.ts';
import schema from '../report.schema.json';

const FORMAT = 2;

/** @throws invalid-file saying what the file is instead */
export function parseReport(text: string): BenchReport {
  const problem = (what: string, cause?: unknown) => new CompConvError('invalid-file', what, { cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const isCut = /^\s*\{/.test(text) && !/\}\s*$/.test(text);
    throw problem(
      isCut ? 'Its end is missing: save or copy the report again.' : 'It is no JSON, so it is no report of this benchmark.',
      cause,
    );
  }
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
  if (typeof format !== 'number' || !('networks' in (value as object)))
    throw problem('It is JSON, but no report of this benchmark.');
  if (format !== FORMAT) {
    const age =
      format < FORMAT ? 'an older version of the benchmark; measure again' : 'a newer version of the benchmark; open it there';
    throw problem(`It is a report of format ${format}, of ${age}. This page reads format ${FORMAT}.`);
  }
  const misfits = schemaProblems(value, schema);
  const problems = misfits.length > 0 ? misfits : strayLabels(value as BenchReport);
  if (problems.length > 0) throw problem(`It is a report, but something is wrong in it: ${listed(problems)}`);
  return value as BenchReport;
}

/** The first few, none of them long: a hostile file may have any number, and names of any length. */
function listed(problems: readonly string[]): string {
  const MOST = 10;
  const shown = problems.slice(0, MOST).map((text) => (text.length > 200 ? `${text.slice(0, 200)}…` : text));
  return [...shown, ...(problems.length > MOST ? [`and ${problems.length - MOST} more`] : [])].join('\n');
}

/** Labels that name no network of the report: what a schema cannot tell. */
function strayLabels({ networks, peers = [] }: BenchReport): string[] {
  const labels = new Set(networks.map(({ label }) => label));
  const strays = [...networks.map(({ baseline }) => baseline), ...peers.map(({ label }) => label)].filter(
    (label) => !labels.has(label),
  );
  return strays.map((label) => `$: names a network ${JSON.stringify(label)} that is not there`);
}

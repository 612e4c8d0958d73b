/** A saved report back from its file: checked against the schema, since what draws it trusts every field. */
import { CompConvError } from '../src/errors.ts';
import { schemaProblems } from './json-schema.ts';
import type { BenchReport } from './report.ts';
import schema from './report.schema.json';

const FORMAT = 2;
/** The first few say what is the matter. */
const MAX_PROBLEMS = 3;

/** @param name of the file, for messages. @throws invalid-file saying what it is instead */
export function parseReport(text: string, name: string): BenchReport {
  const problem = (what: string, cause?: unknown) => new CompConvError('invalid-file', `${name}: ${what}`, { cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const isCut = /^\s*\{/.test(text) && !/\}\s*$/.test(text);
    throw problem(isCut ? 'its end is missing: save or copy the report again' : 'is no JSON, so it is no report of this benchmark', cause);
  }
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
  if (typeof format !== 'number' || !('networks' in (value as object))) throw problem('is JSON, but no report of this benchmark');
  if (format !== FORMAT) {
    const age = format < FORMAT ? 'an older version of the benchmark; measure again' : 'a newer version of the benchmark; open it there';
    throw problem(`is a report of format ${format}, of ${age} (this page reads format ${FORMAT})`);
  }
  const problems = [...schemaProblems(value, schema), ...(schemaProblems(value, schema).length === 0 ? strayLabels(value as BenchReport) : [])];
  if (problems.length > 0) {
    const more = problems.length > MAX_PROBLEMS ? `\nand ${problems.length - MAX_PROBLEMS} more` : '';
    throw problem(`is a report with something wrong in it:\n${problems.slice(0, MAX_PROBLEMS).join('\n')}${more}`);
  }
  return value as BenchReport;
}

/** Labels that name no network of the report: what a schema cannot tell. */
function strayLabels({ networks, peers = [] }: BenchReport): string[] {
  const labels = new Set(networks.map(({ label }) => label));
  const strays = [...networks.map(({ baseline }) => baseline), ...peers.map(({ label }) => label)].filter((label) => !labels.has(label));
  return strays.map((label) => `$: names a network ${JSON.stringify(label)} that is not there`);
}

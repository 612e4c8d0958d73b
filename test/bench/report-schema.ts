/** `bench/report.schema.json` as a check. */
import { readFileSync } from 'node:fs';
import { schemaProblems, type Schema } from '../../bench/report/json-schema.ts';

const path = new URL('../../bench/report.schema.json', import.meta.url);

/** What is wrong with a report, one line each. */
export function reportProblems(report: unknown): string[] {
  return schemaProblems(report, JSON.parse(readFileSync(path, 'utf8')) as Schema);
}

import { expect, test } from 'vitest';
import { benchText } from '../../cli/bench-text.ts';
import { LIMITS, REPORT } from '../bench/sample-report.ts';

const textOf = (limits: typeof LIMITS) => benchText({ ...REPORT, limits }).join('\n');

test('says which clock it was and how fine', () => {
  expect(textOf(LIMITS)).toContain('limits of the adapter; no timestamps: timed from submission until the queue is done; rates');
  const withStep = (timestampStepNs: number) => textOf({ ...LIMITS, clock: 'timestamp-query', timestampStepNs });
  expect(withStep(65_536)).toContain('limits of the adapter; timestamps in steps of 65.5 us; rates');
  expect(withStep(100_000)).toContain('in steps of 100 us');
  expect(withStep(1)).toContain('in steps of 1 ns');
});

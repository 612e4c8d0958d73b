/** The schema's own tests; reports of real measurements are checked where they are made. */
import { expect, test } from 'vitest';
import { schemaProblems } from '../../bench/report/json-schema.ts';
import { reportProblems } from './report-schema.ts';
import { REPORT } from './sample-report.ts';

test('a report fits', () => {
  expect(reportProblems(REPORT)).toEqual([]);
});

test('what does not fit is named', () => {
  const [network] = REPORT.networks;
  const { macs: _, ...withoutMacs } = network;
  const networks = [withoutMacs, { ...network, verifySize: 0, more: 1 }];
  expect(reportProblems({ ...REPORT, format: 1, date: 'today', networks })).toEqual([
    '$.format: is not 2',
    '$.date: does not match ^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$',
    '$.networks[0]: lacks macs',
    '$.networks[1]: has more too',
    '$.networks[1].verifySize: 0 is too small',
  ]);
  expect(reportProblems({ ...REPORT, networks: [{ ...network, macsRatio: NaN, label: 3 }] })).toEqual([
    '$.networks[0].label: is no string',
    '$.networks[0].macsRatio: is no number',
    '$.networks[0].macsRatio: NaN is too small',
  ]);
});

test('a keyword that the check does not know is an error', () => {
  expect(() => schemaProblems(1, { maximum: 2 })).toThrow('maximum');
});

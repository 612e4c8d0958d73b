/** A search as a file, and why a layer has its depth. */
import { describe, expect, test } from 'vitest';
import { isSearch, missedBudget, parseSearch, whyDepth, type SearchReport } from '../../../bench/search/report.ts';
import type { DepthCost } from '../../../bench/search/measure.ts';
import { madeSearch } from './made-search.ts';

const ms = (value: number) => `${value} ms`;
const option = (depth: DepthCost['depth'], time: number, params: number): DepthCost => ({ depth, ms: time, params, dispatches: 1, macs: 1 });
const options = [option(0, 8, 100), option(1, 4, 60), option(2, 5, 30)];

describe('why', () => {
  test.each<[DepthCost['depth'], SearchReport['objective'], readonly DepthCost[], string]>([
    [1, 'params', options, 'The fastest here: 50\u00a0% of the plain time, with 60\u00a0% of the parameters'],
    [0, 'params', options, 'Kept plain within the budget; depth 1 would save 4 ms'],
    [2, 'params', options, 'Saves 3 ms, with 30\u00a0% of the parameters; depth 1 would save 1 ms more, with 60\u00a0%'],
    [2, 'latency', options, 'Saves 3 ms, with 30\u00a0% of the parameters; depth 1 would save 1 ms more, with 60\u00a0%, more than the budget'],
    [0, 'params', [option(0, 1, 100), option(1, 2, 60)], 'The fastest here: CompConv does not pay in this layer'],
    [1, 'latency', [option(0, 1, 100), option(1, 2, 60)], 'With 60\u00a0% of the parameters; depth 0 would save 1 ms more, with 100\u00a0%, more than the budget'],
  ])('depth %d, %s', (depth, objective, options, expected) => {
    expect(whyDepth({ layer: 'conv', depth, options }, objective, ms)).toBe(expected);
  });
});

test('a budget of time is missed by what was measured, not by what was predicted', () => {
  const search = madeSearch();
  const missed = (measuredMs: number, budget: SearchReport['budget'] = search.budget) =>
    missedBudget({ ...search, budget, searched: { ...search.searched, measuredMs } }, (share) => `${share.toFixed(3)} of 1`);
  expect(missed(8.4)).toBeUndefined();
  expect(missed(8.55)).toBeUndefined();
  expect(missed(9)).toBe('the budget of 0.900 of 1 of the plain time is missed: predicted 0.890 of 1, measured 0.947 of 1');
  expect(missed(9, { params: 0.9 })).toBeUndefined();
});

test('a file is told apart from a map of depths, and checked', () => {
  const text = JSON.stringify(madeSearch());
  expect(isSearch(text)).toBe(true);
  expect(parseSearch(text)).toEqual(madeSearch());
  for (const other of ['{"conv1": 2}', '[]', 'null', '{', '{"kind": "report"}']) expect(isSearch(other)).toBe(false);
  expect(() => parseSearch(JSON.stringify({ ...madeSearch(), depths: { conv1: 4 }, plain: undefined }))).toThrow(/\$\.depths\.conv1: is not one of \[0,1,2,3\]/);
});

/** A search as a file, and why a layer has its depth. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { isSearch, missedBudget, parseSearch, whyDepth, type SearchedOption, type SearchReport } from '../../../bench/search/report.ts';
import type { DepthCost } from '../../../bench/search/measure.ts';
import { checkSensitivity, chooseDepths, searchedLayers, type Sensitivity } from '../../../bench/search/search.ts';
import { madeSearch } from './made-search.ts';

const ms = (value: number) => `${value} ms`;
const option = (depth: DepthCost['depth'], time: number, params: number): DepthCost => ({ depth, ms: time, params, dispatches: 1, macs: 1 });
const options = [option(0, 8, 100), option(1, 4, 60), option(2, 5, 30)];
const withLoss = (options: readonly DepthCost[], ...sensitivities: number[]): SearchedOption[] => options.map((each, i) => ({ ...each, sensitivity: sensitivities[i] }));
const losses = withLoss(options, 0.1, 0.25, 0.2123456);

describe('why', () => {
  test.each<[DepthCost['depth'], SearchReport['objective'], readonly SearchedOption[], string]>([
    [1, 'params', options, 'The fastest here: 50\u00a0% of the plain time, with 60\u00a0% of the parameters'],
    [0, 'params', options, 'Kept plain within the budget; depth 1 would save 4 ms, with 60\u00a0% of the parameters'],
    [2, 'params', options, 'Saves 3 ms, with 30\u00a0% of the parameters; depth 1 would save 1 ms more, with 60\u00a0%'],
    [2, 'latency', options, 'Saves 3 ms, with 30\u00a0% of the parameters; depth 1 would save 1 ms more, with 60\u00a0%, more than the budget'],
    [0, 'params', [option(0, 1, 100), option(1, 2, 60)], 'The fastest here: CompConv does not pay in this layer'],
    [1, 'latency', [option(0, 1, 100), option(1, 2, 60)], 'With 60\u00a0% of the parameters; depth 0 would save 1 ms more, with 100\u00a0%, more than the budget'],
    [1, 'sensitivity', losses, 'The fastest here: 50\u00a0% of the plain time, with a loss of 0.15'],
    [0, 'sensitivity', losses, 'Kept plain within the budget; depth 1 would save 4 ms, with a loss of 0.15'],
    [2, 'sensitivity', losses, 'Saves 3 ms, with a loss of 0.112; depth 1 would save 1 ms more, with a loss of 0.15'],
    [1, 'sensitivity', withLoss([option(0, 1, 100), option(1, 2, 60)], 0, -0.5), 'With a loss of -0.5; depth 0 would save 1 ms more, with a loss of 0'],
    [0, 'sensitivity', withLoss([option(0, 1, 100), option(1, 2, 60)], 0, 1), 'The fastest here: CompConv does not pay in this layer'],
    // Of a file of before there were sensitivities in it.
    [2, 'sensitivity', options, 'Saves 3 ms, with 30\u00a0% of the parameters; depth 1 would save 1 ms more, with 60\u00a0%'],
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

test('sensitivities go into a file and come back; those that are no numbers are refused', () => {
  const made = madeSearch();
  const sensitivity = Object.fromEntries(made.layers.map(({ layer }, i) => [layer, [0, i / 100, 0.5, 1e-9]]));
  const search: SearchReport = { ...made, objective: 'sensitivity', layers: searchedLayers(made, made.depths, sensitivity) };
  expect(search.layers[3].options.map(({ sensitivity }) => sensitivity)).toEqual([0, 0.03, 0.5]);
  expect(parseSearch(JSON.stringify(search))).toEqual(search);
  expect(searchedLayers(made, made.depths)).toEqual(made.layers);
  const [first, ...others] = search.layers;
  const broken = { ...search, layers: [{ ...first, options: [{ ...first.options[0], sensitivity: '0' }] }, ...others] };
  expect(() => parseSearch(JSON.stringify(broken))).toThrow(/\$\.layers\[0\]\.options\[0\]\.sensitivity: is no number/);
});

test('the search that is kept with the results of Fashion-MNIST chose the depths of its configuration', async () => {
  const read = async (path: string) => readFile(new URL(`../../../train/${path}`, import.meta.url), 'utf8');
  const report = parseSearch(await read('results/fashion-mnist/searched-report.json'));
  const sensitivity = JSON.parse(await read('results/fashion-mnist/sensitivity.json')) as Sensitivity;
  const depths = JSON.parse(await read('configs/fashion-mnist-searched.depths.json')) as SearchReport['depths'];
  expect(report.depths).toEqual(depths);
  checkSensitivity(new Map(report.layers.map(({ layer, options }) => [layer, options.map(({ depth }) => depth)])), sensitivity);
  expect(report.layers).toEqual(searchedLayers(report, depths, sensitivity));
  expect(chooseDepths(report, report.budget, sensitivity)).toEqual(depths);
});

import { expect, test } from 'vitest';
import { searchText } from '../../cli/search-text.ts';
import { searchedLayers } from '../../bench/search/search.ts';
import { madeSearch } from '../bench/search/made-search.ts';

test('ends with the networks; where the one that was found takes more than it may, with that', () => {
  const search = madeSearch();
  expect(searchText(search).at(-1)).toMatch(/^searched .* 8\.9 ms +8\.4 ms +88\.42 %$/);
  expect(searchText({ ...search, searched: { ...search.searched, measuredMs: 9 } }).slice(-2)).toEqual([
    expect.stringMatching(/^searched .* 94\.74 %$/),
    'the budget of 90.00 % of the plain time is missed: predicted 89.00 %, measured 94.74 %',
  ]);
});

test('says of each layer what it loses at a depth, where that decided', () => {
  const made = madeSearch();
  const layers = searchedLayers(made, made.depths, Object.fromEntries(made.layers.map(({ layer }) => [layer, [0.5, 0.512, 0.75, 1]])));
  const text = searchText({ ...made, objective: 'sensitivity', layers });
  expect(text).toContain('in brackets: what the layer loses by the sensitivities, against the plain one');
  expect(text.find((line) => line.startsWith('layer3.1.conv2'))).toMatch(/ 2 +2\.4 ms +2\.2 ms \(0\.012\) +2\.0 ms \(0\.25\) \* +1\.8 ms \(0\.5\)$/);
  expect(searchText(made).join('\n')).not.toMatch(/\(0\.012\)|in brackets/);
});

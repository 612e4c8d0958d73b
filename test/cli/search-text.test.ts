import { expect, test } from 'vitest';
import { searchText } from '../../cli/search-text.ts';
import { madeSearch } from '../bench/search/made-search.ts';

test('ends with the networks; where the one that was found takes more than it may, with that', () => {
  const search = madeSearch();
  expect(searchText(search).at(-1)).toMatch(/^searched .* 8\.9 ms +8\.4 ms +88\.42 %$/);
  expect(searchText({ ...search, searched: { ...search.searched, measuredMs: 9 } }).slice(-2)).toEqual([
    expect.stringMatching(/^searched .* 94\.74 %$/),
    'the budget of 90.00 % of the plain time is missed: predicted 89.00 %, measured 94.74 %',
  ]);
});

/** The knapsack against all there is. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { choose, type Option } from '../../../bench/search/choose.ts';

const sum = (items: readonly (readonly Option[])[], choice: readonly number[], of: (option: Option) => number) =>
  items.reduce((total, options, item) => total + of(options[choice[item]]), 0);

function everyChoice(items: readonly (readonly Option[])[]): number[][] {
  return items.reduce<number[][]>((choices, options) => choices.flatMap((choice) => options.map((_, index) => [...choice, index])), [[]]);
}

const option = fc.record({ cost: fc.integer({ min: 0, max: 1000 }), worth: fc.integer({ min: -50, max: 1000 }) });
const items = fc.array(fc.array(option, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 5 });

describe('what is chosen', () => {
  test('is within the budget, and worth as much as the best of all choices but for the steps', () => {
    fc.assert(
      fc.property(items, fc.double({ min: 0, max: 1, noNaN: true }), (items, share) => {
        const all = everyChoice(items);
        const costs = all.map((choice) => sum(items, choice, ({ cost }) => cost));
        const [least, most] = [Math.min(...costs), Math.max(...costs)];
        const budget = least + share * (most - least);
        const chosen = choose(items, budget);
        expect(sum(items, chosen, ({ cost }) => cost)).toBeLessThanOrEqual(budget);
        // Of a budget that is a step for each item smaller.
        const smaller = budget * (1 - items.length / 20_000);
        const best = Math.max(...all.filter((_, i) => costs[i] <= smaller).map((choice) => sum(items, choice, ({ worth }) => worth)));
        expect(sum(items, chosen, ({ worth }) => worth)).toBeGreaterThanOrEqual(best);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  test('is everything where the budget allows it, to the last bit', () => {
    const items = Array.from({ length: 54 }, (_, i) => [{ cost: 0.1 * i + 0.3, worth: i + 1 }, { cost: 0.05 * i, worth: 0 }]);
    const budget = items.reduce((total, [{ cost }]) => total + cost, 0);
    expect(choose(items, budget)).toEqual(Array(54).fill(0));
  });

  test('is an error where nothing fits, with what it would take', () => {
    const items = [[{ cost: 3, worth: 1 }], [{ cost: 4, worth: 2 }, { cost: 2, worth: 1 }]];
    expect(() => choose(items, 4.5, (ms) => `${ms} ms`)).toThrow('the budget of 4.5 ms cannot be met: it takes 5 ms at least');
    expect(choose(items, 5)).toEqual([0, 1]);
  });
});

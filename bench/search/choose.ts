/** One option for each of several items, worth as much as possible together within a budget: the multiple-choice knapsack. */
import { CompConvError } from '../../src/errors.ts';

export interface Option {
  /** What it takes of the budget; not negative. */
  readonly cost: number;
  readonly worth: number;
}

/** The budget is divided into so many steps: what is chosen may miss the best by as much as one step for each item. */
const STEPS = 20_000;

/**
 * Chooses by dynamic programming over the budget.
 * @returns the index of the chosen option of each item
 * @throws invalid-argument where the cheapest options together exceed the budget; `format` writes costs down for that
 */
export function choose(items: readonly (readonly Option[])[], budget: number, format: (cost: number) => string = String): number[] {
  const cheapest = items.map((options) => options.reduce((best, { cost }, i) => (cost < options[best].cost ? i : best), 0));
  const least = total(items, cheapest);
  if (!(least <= budget)) {
    throw new CompConvError('invalid-argument', `the budget of ${format(budget)} cannot be met: it takes ${format(least)} at least`);
  }
  // Costs are rounded up, so that what is chosen is within the budget; what that wastes is spent afterwards.
  return spendRest(items, byDynamicProgramming(items, budget) ?? cheapest, budget);
}

function byDynamicProgramming(items: readonly (readonly Option[])[], budget: number): number[] | undefined {
  const stepsOf = ({ cost }: Option) => (cost === 0 ? 0 : Math.ceil((cost / budget) * STEPS));
  /** The most that is possible with so many steps for the items so far. */
  let best = new Float64Array(STEPS + 1);
  const taken = items.map((options) => {
    const next = new Float64Array(STEPS + 1).fill(-Infinity);
    const chosen = new Uint8Array(STEPS + 1);
    for (const [index, option] of options.entries()) {
      const steps = stepsOf(option);
      for (let at = steps; at <= STEPS; at++) {
        const worth = best[at - steps] + option.worth;
        if (worth > next[at]) [next[at], chosen[at]] = [worth, index];
      }
    }
    best = next;
    return chosen;
  });
  if (best[STEPS] === -Infinity) return undefined;
  const choice: number[] = [];
  for (let item = items.length - 1, at = STEPS; item >= 0; item--) {
    choice[item] = taken[item][at];
    at -= stepsOf(items[item][choice[item]]);
  }
  return choice;
}

/** Takes better options, the largest gain first, as long as they fit. */
function spendRest(items: readonly (readonly Option[])[], choice: readonly number[], budget: number): number[] {
  const improved = [...choice];
  const swaps = items.flatMap((options, item) => options.map((option, index) => ({ item, index, gain: option.worth - options[choice[item]].worth })));
  for (const { item, index, gain } of swaps.filter(({ gain }) => gain > 0).sort((a, b) => b.gain - a.gain)) {
    const attempt = improved.with(item, index);
    if (gain > items[item][improved[item]].worth - items[item][choice[item]].worth && total(items, attempt) <= budget) improved[item] = index;
  }
  return improved;
}

function total(items: readonly (readonly Option[])[], choice: readonly number[]): number {
  return items.reduce((sum, options, item) => sum + options[choice[item]].cost, 0);
}

/** How work is cut into pieces, and what is learned from their times. */
import { describe, expect, test } from 'vitest';
import { createNetwork } from '../../src/models/network.ts';
import { dispatchWork, imagesAtOnce, Pace, PIECE_MS, pieceEnd, SLOWEST_RATE } from '../../src/runtime/pace.ts';
import { DEFAULT_LIMITS, schedule } from '../../src/scheduler/schedule.ts';

describe('pieces', () => {
  /** Where each piece begins. */
  function pieces(work: readonly number[], budget: number): number[] {
    const starts: number[] = [];
    for (let from = 0; from < work.length; from = pieceEnd(work, from, budget)) starts.push(from);
    return starts;
  }

  test.each([
    ['all of it fits', [1, 2, 3], 6, [0]],
    ['one too much', [1, 2, 3], 5, [0, 2]],
    ['filled up to the budget', [2, 2, 2, 2, 2], 4, [0, 2, 4]],
    ['what is larger than the budget is alone', [1, 9, 1, 1], 4, [0, 1, 2]],
    ['every step is larger', [5, 5, 5], 1, [0, 1, 2]],
    ['steps without work join', [0, 4, 0, 0, 4, 0], 4, [0, 4]],
    ['no budget at all', [0, 0, 1], 0, [0, 2]],
    ['a single step', [7], 1, [0]],
  ])('%s', (_, work, budget, starts) => expect(pieces(work, budget)).toEqual(starts));
});

test.each([
  ['all, where no dispatch is too long', 8, [1, 10, 3], 10, 8],
  ['as many as make the heaviest dispatch short enough', 8, [1, 20, 3], 10, 4],
  ['rounded down', 7, [1, 20, 3], 10, 3],
  ['one, which cannot be less', 4, [100], 10, 1],
])('images at once: %s', (_, images, work, most, expected) => expect(imagesAtOnce(images, work, most)).toBe(expected));

describe('work of a dispatch', () => {
  const plan = schedule(createNetwork({ arch: 'resnet18' }), DEFAULT_LIMITS);

  test('its MACs, and its bytes for those that have none', () => {
    for (const dispatch of plan.dispatches) {
      const work = dispatchWork(plan, dispatch);
      expect(work).toBeGreaterThan(dispatch.macs);
      // 64 channels of 112 x 112 and of 56 x 56, 4 bytes each, 4 MACs a byte.
      if (dispatch.kernel.name === 'max-pool') expect(work).toBe(4 * 4 * 64 * (112 ** 2 + 56 ** 2));
    }
    expect(plan.dispatches.some(({ kernel }) => kernel.name === 'max-pool')).toBe(true);
  });

  test('a whole ResNet18 is little more than its MACs', () => {
    const total = plan.dispatches.reduce((sum, dispatch) => sum + dispatchWork(plan, dispatch), 0);
    expect(total / 1_814_073_344).toBeGreaterThan(1);
    expect(total / 1_814_073_344).toBeLessThan(1.5);
  });
});

describe('the pace', () => {
  test('is that of the slowest adapter at first, and never less', () => {
    const pace = new Pace();
    expect(pace.budget).toBe(SLOWEST_RATE * PIECE_MS);
    pace.observe(1e6, 60_000);
    expect(pace.budget).toBe(SLOWEST_RATE * PIECE_MS);
  });

  test('what took less than a piece may is one piece the next time', () => {
    for (const ms of [0, 0.1, 3, 49, 51, 499]) {
      const pace = new Pace();
      pace.observe(4e9, ms);
      expect(pace.budget, `${ms} ms`).toBeGreaterThanOrEqual(4e9);
    }
  });

  test('what took long is cut, and its pieces are expected to be short enough', () => {
    const pace = new Pace();
    pace.observe(16e9, 4000);
    expect(pace.budget).toBe(2e9);
  });

  test('something quick does not make an adapter slow, something long does', () => {
    const pace = new Pace();
    pace.observe(100e9, 100);
    const { budget } = pace;
    pace.observe(1e6, 2);
    expect(pace.budget).toBe(budget);
    pace.observe(1e9, 200);
    expect(pace.budget).toBeLessThan(budget);
  });
});

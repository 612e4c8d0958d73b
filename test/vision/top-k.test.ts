import { describe, expect, it } from 'vitest';
import { topK } from '../../src/vision/top-k.ts';

const logits = (...values: number[]) => Float32Array.from(values);

describe('topK', () => {
  it('sorts by probability', () => {
    // e^0 : e^ln2 : e^ln5 = 1 : 2 : 5
    const found = topK(logits(Math.log(2), 0, Math.log(5)), ['two', 'one', 'five'], 3);
    expect(found.map(({ index, label }) => [index, label])).toEqual([
      [2, 'five'],
      [0, 'two'],
      [1, 'one'],
    ]);
    [5 / 8, 2 / 8, 1 / 8].forEach((score, i) => expect(found[i].score).toBeCloseTo(score, 6));
  });

  it('normalises over all classes, not over the k', () => {
    expect(topK(logits(0, 0, 0, 0), undefined, 1)).toEqual([{ index: 0, label: 'class 0', score: 0.25 }]);
  });

  it('keeps equal ones in the order of the classes', () => {
    expect(topK(logits(1, 3, 3, 2, 3), undefined, 4).map(({ index }) => index)).toEqual([1, 2, 4, 3]);
  });

  it('neither overflows nor underflows', () => {
    expect(topK(logits(3e38, -3e38), undefined, 2).map(({ score }) => score)).toEqual([1, 0]);
    expect(topK(logits(-1000, -1000), undefined, 2).map(({ score }) => score)).toEqual([0.5, 0.5]);
  });

  it('gives all classes where k is more than there are', () => {
    expect(topK(logits(1, 2), undefined, 5).length).toBe(2);
    expect(topK(logits(), undefined, 5)).toEqual([]);
  });

  it('names classes beyond the labels by their number', () => {
    expect(topK(logits(1, 2), ['a'], 2).map(({ label }) => label)).toEqual(['class 1', 'a']);
  });

  it.each([0, -1, 1.5, NaN, Infinity])('rejects k = %d', (k) => {
    expect(() => topK(logits(1), undefined, k)).toThrow(/k must be a positive integer/);
  });

  it.each([NaN, Infinity, -Infinity])('rejects a logit of %d and names its class', (bad) => {
    expect(() => topK(logits(1, 2, bad), undefined, 1)).toThrow(new RegExp(`class 2 is ${bad}`));
  });
});

/** Batches in parts: nothing lost, nothing twice, in order; and outputs that are no numbers. */
import { describe, expect, test } from 'vitest';
import { checkFinite, joinResults, splitBatch } from '../../src/runtime/batches.ts';
import { batchSize } from '../../src/runtime/session-input.ts';
import { isTensor } from '../../src/runtime/session-input.ts';
import { distinctValues } from '../support/random.ts';

test.each([1, 2, 3, 5, 7, 9])('a tensor of 7 images in parts of at most %i is put together again', (images) => {
  const input = { shape: [7, 2, 3, 1], data: distinctValues(42, 1) };
  const parts = splitBatch(input, images);
  expect(parts.map(batchSize).every((size) => size >= 1 && size <= images)).toBe(true);
  const { output, taps, latencyMs, submits } = joinResults(
    parts.map((part) => {
      if (!isTensor(part)) throw new Error('a tensor was expected');
      return { output: part, taps: { same: part }, latencyMs: 2, encodeMs: 1, submits: 3 };
    }),
  );
  expect(output).toEqual(input);
  expect(taps).toEqual({ same: input });
  expect([latencyMs, submits]).toEqual([2 * parts.length, 3 * parts.length]);
});

test('a list of images keeps its order', () => {
  const images = Array.from({ length: 5 }, (_, i) => ({ width: i + 1, height: 1, data: new Uint8Array(4 * (i + 1)) }));
  expect(splitBatch(images, 2).flat()).toEqual(images);
});

test('one image is one part, a Blob too', () => {
  const image = new Blob(['a picture']);
  expect(splitBatch(image, 1)).toEqual([image]);
  expect(splitBatch(image, 1)[0]).toBe(image);
});

describe('checkFinite', () => {
  test.each([NaN, Infinity, -Infinity])('finds %f, and says where', (bad) => {
    const data = distinctValues(12, 2);
    data[7] = data[9] = bad;
    expect(() => checkFinite({ shape: [2, 6], data }, 'net')).toThrow(/net: 2 of 12 outputs \[2, 6\] are NaN or infinite, element 7 the first/);
  });
  test('takes every finite number, in a view of a larger buffer too', () => {
    const all = Float32Array.of(NaN, 0, -0, 3.4028234663852886e38, -1e-45, 1, Infinity);
    expect(() => checkFinite({ shape: [5], data: all.subarray(1, 6) }, 'net')).not.toThrow();
  });
});

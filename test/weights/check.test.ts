/** The check that weights belong to a network: everything that is wrong, at once. */
import { expect, test } from 'vitest';
import { CompConvError } from '../../src/errors.ts';
import { checkWeights } from '../../src/weights/check.ts';
import type { Weights } from '../../src/weights/weights.ts';

function weightsOf(shapes: Record<string, number[]>): Weights {
  return {
    shapes: new Map(Object.entries(shapes)),
    get() {
      throw new Error('values must not be looked at');
    },
  };
}

function errorOf(expected: Record<string, number[]>, got: Record<string, number[]>): CompConvError {
  try {
    checkWeights(new Map(Object.entries(expected)), weightsOf(got), 'model.safetensors');
  } catch (error) {
    expect(error).toBeInstanceOf(CompConvError);
    return error as CompConvError;
  }
  throw new Error('expected an error');
}

test('accepts exactly the expected tensors, and num_batches_tracked', () => {
  const expected = new Map([['bn.weight', [4]], ['scalar', []]]);
  const weights = weightsOf({ scalar: [], 'bn.num_batches_tracked': [], 'bn.weight': [4] });
  expect(() => checkWeights(expected, weights, 'file')).not.toThrow();
  expect(() => checkWeights(new Map(), weightsOf({}), 'file')).not.toThrow();
});

test('lists all that is wrong', () => {
  const error = errorOf(
    { a: [1], b: [2, 3], c: [4], d: [5] },
    { b: [3, 2], c: [4, 1], d: [5], e: [], 'x.num_batches_tracked': [] },
  );
  expect(error.code).toBe('invalid-weights');
  expect(error.message).toBe(
    [
      'model.safetensors: the weights do not fit: 1 missing, 1 unexpected, 2 of another shape, of 4 expected. ' +
        'Does the file belong to this architecture and these CompConv options?',
      'missing (1):',
      '  a [1]',
      'unexpected (1):',
      '  e []',
      'of another shape (2):',
      '  b: expected [2, 3], got [3, 2]',
      '  c: expected [4], got [4, 1]',
    ].join('\n'),
  );
});

test('lists only the sections there are', () => {
  expect(errorOf({ a: [1] }, {}).message.split('\n').slice(1)).toEqual(['missing (1):', '  a [1]']);
});

test('an expected num_batches_tracked is not ignored', () => {
  expect(errorOf({ num_batches_tracked: [] }, {}).message).toContain('missing (1)');
});

test('lists thousands', () => {
  const names = Array.from({ length: 3000 }, (_, i) => `layer${i}.weight`);
  const { message } = errorOf(Object.fromEntries(names.map((name) => [name, [1]])), { other: [1] });
  expect(message).toContain('3000 missing, 1 unexpected');
  expect(message.split('\n')).toHaveLength(1 + 1 + 3000 + 1 + 1);
});

test('a name that is endless is not repeated as a whole', () => {
  const shapes = new Map([['x'.repeat(100_000), [1]]]);
  expect(() => checkWeights(new Map(), { shapes }, 'file')).toThrow(expect.objectContaining({ message: expect.stringMatching(/\n  x{100}\.\.\. \[1\]$/) }));
});

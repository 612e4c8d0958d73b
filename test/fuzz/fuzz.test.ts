/** Every target on a few inputs, always the same ones; `npm run fuzz` goes on with others. See docs/fuzzing.md. */
import { expect, test } from 'vitest';
import { fuzz, targets } from './targets.ts';

const SEED = 20261128;

test.each(targets.map(({ name, runs }) => [name, runs] as const))('%s', async (target, runs) => {
  const { finding } = await fuzz({ target, seed: SEED, runs });
  expect(finding).toBeUndefined();
});

/** What crosses to a worker, where it needs no browser; images of a page are in `worker.browser.test.ts`. */
import { expect, test } from 'vitest';
import type { SessionInput } from '../../src/runtime/session-input.ts';
import { crossingInput } from '../../src/worker/transfer.ts';

test.each([undefined, null, 784, '1,1,28,28', { length: 4 }])('a tensor whose shape is %o is refused', async (shape) => {
  const input = { shape, data: new Float32Array(784) } as unknown as SessionInput;
  await expect(crossingInput(input)).rejects.toMatchObject({ name: 'CompConvError', code: 'invalid-argument', message: expect.stringContaining('shape') as string });
});

test('a view of a larger buffer crosses in memory of its own, a whole one as it is', async () => {
  const whole = new Float32Array(8);
  const crossed = async (data: Float32Array) => ((await crossingInput({ shape: [1, 1, 1, data.length], data })) as { data: Float32Array }).data;
  expect(await crossed(whole)).toBe(whole);
  expect((await crossed(whole.subarray(2, 4))).buffer.byteLength).toBe(8);
});

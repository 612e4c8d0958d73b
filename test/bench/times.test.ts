/** Turns, warm-up and what a wrong run costs, with contestants whose clock is made up. */
import { expect, test } from 'vitest';
import { problemOf, type Contestant } from '../../bench/contestant.ts';
import { measureTimes } from '../../bench/times.ts';
import { CompConvError } from '../../src/errors.ts';

const LOGITS = { shape: [1, 2], data: Float32Array.of(1, 2) };
const OFF = { shape: [1, 2], data: Float32Array.of(1, 2.001) };

/** Takes the given milliseconds in turn, then the last again, or fails at 0; `order` gets its name at each run. */
function contestant(label: string, latencies: readonly number[], order: string[] = [], wrongRun = Infinity): Contestant {
  let runs = 0;
  return {
    label,
    firstOutput: LOGITS,
    tolerance: 1e-5,
    problem: undefined,
    problemOf,
    async run() {
      order.push(label);
      const latencyMs = latencies[Math.min(runs, latencies.length - 1)];
      if (latencyMs === 0) throw new CompConvError(runs === 0 ? 'gpu-validation' : 'device-lost', `${label} ended`);
      return { output: runs++ === wrongRun ? OFF : LOGITS, latencyMs };
    },
  };
}

test('warmed up one after the other until two runs are alike, then in turns', async () => {
  const order: string[] = [];
  const [a, b] = [contestant('a', [50, 20, 19, 7, 5, 6], order), contestant('b', [10], order)];
  const times = await measureTimes([a, b], 3, {} as never);
  expect(order.join('')).toBe('aaa' + 'bb' + 'ab' + 'ba' + 'ab');
  expect(times.get(a)).toEqual({ warmUpRuns: 3, latencyMs: { median: 6, p90: 7, min: 5, n: 3 }, latencySamplesMs: [7, 5, 6] });
  expect(times.get(b)).toMatchObject({ warmUpRuns: 2, latencyMs: { median: 10 } });
});

test('one that never settles is warmed up five times', async () => {
  const a = contestant('a', [1, 2, 4, 8, 16, 32]);
  expect((await measureTimes([a], 1, {} as never)).get(a)!.warmUpRuns).toBe(5);
});

test('a run that gives something else ends it without times; the others go on', async () => {
  const order: string[] = [];
  const [wrong, right] = [contestant('w', [10], order, 3), contestant('r', [10], order)];
  const times = await measureTimes([wrong, right], 4, {} as never);
  expect(times.has(wrong)).toBe(false);
  expect(wrong.problem).toBe('a measured run gave another output than the first one');
  expect(times.get(right)!.latencyMs.n).toBe(4);
  expect(order.join('')).toBe('ww' + 'rr' + 'wr' + 'rw' + 'rr');
});

test('one that fails has no times, and the others theirs, unless it concerns them all', async () => {
  const [failing, other] = [contestant('f', [0]), contestant('o', [10])];
  const times = await measureTimes([failing, other], 2, {} as never);
  expect(failing.problem).toBe('f ended');
  expect([...times.keys()]).toEqual([other]);
  await expect(measureTimes([contestant('a', [10, 10, 0]), other], 2, {} as never)).rejects.toMatchObject({ code: 'device-lost' });
});

test('three runs are enough of what takes long, and one or two to warm up', async () => {
  const [slow, slower, fast] = [contestant('slow', [20_000, 11_000]), contestant('slower', [60_000]), contestant('fast', [2_999])];
  const times = await measureTimes([slow, slower, fast], 10, {} as never);
  const counts = [slow, slower, fast].map((one) => [times.get(one)!.warmUpRuns, times.get(one)!.latencyMs.n]);
  expect(counts).toEqual([
    [2, 3],
    [1, 3],
    [2, 10],
  ]);
});

test('each step is told, and ends the work when it is aborted', async () => {
  const steps: string[] = [];
  const controller = new AbortController();
  const onProgress = ({ phase, label, done, total }: { phase: string; label: string; done?: number; total?: number }) => {
    steps.push(`${phase} ${label} ${done}/${total}`);
    if (steps.length === 4) controller.abort();
  };
  const options = { onProgress, signal: controller.signal } as never;
  await expect(measureTimes([contestant('a', [1])], 9, options)).rejects.toMatchObject({ code: 'aborted' });
  expect(steps).toEqual(['warm-up a 0/5', 'warm-up a 1/5', 'measure a 0/9', 'measure a 1/9']);
});

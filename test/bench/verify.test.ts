/** What comes before times: against the CPU reference at the size that is timed, else at a smaller one and kernel by kernel. */
import { expect, test } from 'vitest';
import { verify, type Entrant } from '../../bench/entrant.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { graphParams, withInputShape } from '../../src/graph/graph.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import type { SelfTestReport } from '../../src/runtime/self-test.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import { distinctValues } from '../support/random.ts';

/** A network on `side` x `side` pixels whose session is the reference, off by `error`, with a self-test of so many failures. */
function entrant({ side, error = 0, failures = 0 }: { side: number; error?: number; failures?: number }) {
  const g = new GraphBuilder();
  const x = g.input({ n: 1, h: side, w: side, c: 1 });
  g.avgPool('pool', g.conv2d('b', g.conv2d('a', x, 300, { kernelSize: 3, padding: 1 }), 1, { kernelSize: 3, padding: 1 }), 1, 1);
  const graph = g.build('wide');
  const weights = seededWeights(graphParams(graph), 1);
  const tested: string[] = [];
  const run = async (input: Tensor): Promise<Tensor> => {
    const [, c, h, w] = input.shape;
    const { shape, data } = toTensor(runReference(withInputShape(graph, { n: 1, h, w, c }), weights, input).get('pool')!);
    return { shape, data: data.map((value) => value * (1 + error)) };
  };
  const selfTest = async (): Promise<SelfTestReport> => {
    tested.push('self-test');
    const variants = Array.from({ length: failures }, (_, i) => ({ variant: `kernel-${i}`, status: 'failed', problem: 'row 1: 2 for 3' }));
    return { variants } as never;
  };
  const input = { shape: [1, 1, side, side], data: distinctValues(side * side, 1) };
  const firstOutput = { shape: [1, 1], data: Float32Array.of(1) };
  const made = { label: 'wide', model: { graph, weights }, session: { run, selfTest }, input, firstOutput, tolerance: 1e-5, problem: undefined };
  return { made: made as unknown as Entrant, tested, run };
}

test('at the size that is timed the first output is compared', async () => {
  const { made, tested, run } = entrant({ side: 16 });
  await verify({ ...made, firstOutput: await run(made.input) }, 1);
  expect(tested).toEqual([]);
  const wrong = { ...made, firstOutput: { shape: [1, 1], data: Float32Array.of(NaN) } };
  await verify(wrong, 1);
  expect(wrong.problem).toMatch(/^relative error NaN against the CPU reference/);
});

// 5.4 kMAC a pixel: more than 5 GMAC.
const LARGE = 1024;

test('a larger network is compared at a smaller size, and each of its kernels by itself', async () => {
  const { made, tested } = entrant({ side: LARGE });
  await verify(made, 1);
  expect(made).toMatchObject({ problem: undefined, relativeError: 0 });
  expect(tested).toEqual(['self-test']);
});

test('there, a kernel that is wrong at full size only is found all the same', async () => {
  const { made } = entrant({ side: LARGE, failures: 2 });
  await verify(made, 1);
  expect(made.problem).toBe('wrong against the CPU reference: kernel-0: row 1: 2 for 3; kernel-1: row 1: 2 for 3');
});

test('stops between two layers', async () => {
  const { made } = entrant({ side: 16 });
  const controller = new AbortController();
  setTimeout(() => controller.abort());
  await expect(verify(made, 1, { signal: controller.signal })).rejects.toMatchObject({ code: 'aborted' });
});

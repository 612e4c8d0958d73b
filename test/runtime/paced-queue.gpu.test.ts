/** Work in pieces: however it is cut, it computes the same to the bit, is timed as a whole, and can be ended in between. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import { createSession, GraphBuilder, graphParams, seededModel, seededWeights, type Tensor } from '../../src/index.ts';
import { createNetwork } from '../../src/models/network.ts';
import { ConstantStore } from '../../src/runtime/constant-store.ts';
import { Executor } from '../../src/runtime/executor.ts';
import { PacedQueue, type Stage } from '../../src/runtime/paced-queue.ts';
import { PipelineCache } from '../../src/runtime/pipelines.ts';
import { PassTimer } from '../../src/runtime/timing.ts';
import { schedule } from '../../src/scheduler/schedule.ts';
import { seededUniform } from '../../src/weights/seeded.ts';
import { expectClose } from '../support/compare.ts';
import { useGpu } from '../support/gpu.ts';
import { distinctValues } from '../support/random.ts';

const gpu = useGpu();
const input = distinctValues(28 * 28, 1);
let executor: Executor;
let constants: ConstantStore;

beforeAll(async () => {
  const { device, limits } = gpu.engine;
  const graph = createNetwork({ arch: 'resnet_small14', c0: 16 });
  const plan = schedule(graph, limits);
  const pipelines = new PipelineCache(device);
  constants = new ConstantStore(device, seededWeights(graphParams(graph), 1));
  await constants.upload(plan.constants.values());
  executor = new Executor(device, plan, await pipelines.compile(plan.dispatches), pipelines, constants);
});
afterAll(() => {
  executor?.destroy();
  constants?.destroy();
});

/** A queue that knows its budget. */
const queueOf = (budget: number) => new PacedQueue(gpu.engine.device, { budget, dispatchBudget: 2 * budget, observe: () => {} });
const total = () => executor.work.reduce((sum, work) => sum + work, 0);

interface RunOptions {
  readonly timer?: PassTimer;
  readonly stages?: readonly Stage[];
  readonly check?: () => void;
}

const run = (queue: PacedQueue, options: RunOptions = {}) =>
  queue.run({
    name: 'test',
    stages: [executor],
    write: () => executor.writeInput(input),
    encodeAfter: (encoder) => executor.encodeReadback(encoder),
    read: async () => (await executor.readOutput()).data,
    ...options,
  });

test('one submit, several, and one for each dispatch give the same bits', async () => {
  const { value: expected, submits } = await run(queueOf(Infinity));
  expect(submits).toBe(1);
  expect(expected.some((value) => value !== 0)).toBe(true);
  for (const parts of [2, 5]) {
    const pieces = await run(queueOf(total() / parts));
    expect(pieces.submits).toBeGreaterThanOrEqual(parts);
    expect(pieces.submits).toBeLessThan(executor.work.length);
    expect([...pieces.value]).toEqual([...expected]);
  }
  const single = await run(queueOf(0));
  expect(single.submits).toBe(executor.work.length);
  expect([...single.value]).toEqual([...expected]);
});

test('pieces run over stages, repeats and both', async () => {
  const steps = executor.work.length;
  const recorded: [string, number, number][] = [];
  const stage = (label: string, repeats: number): Stage => ({
    label,
    work: Array.from({ length: repeats * steps }, () => 1),
    record: (pass, from, to) => {
      recorded.push([label, from, to]);
      executor.record(pass, from, to);
    },
  });
  const stages = [stage('a', 1), stage('b', 2)];
  const { value: expected } = await run(queueOf(Infinity), { stages });
  expect(recorded.splice(0)).toEqual([['a', 0, steps], ['b', 0, 2 * steps]]);
  const { submits, value } = await run(queueOf(2 * steps - 1), { stages });
  expect(submits).toBe(2);
  expect(recorded).toEqual([['a', 0, steps], ['b', 0, steps - 1], ['b', steps - 1, 2 * steps]]);
  expect([...value]).toEqual([...expected]);
});

test.each([1, 3, Infinity])('a timer spans the last stage in %s pieces', async (parts) => {
  const timer = new PassTimer(gpu.engine.device);
  const start = performance.now();
  await run(queueOf(total() / parts), { timer, stages: [executor, executor] });
  const wallNs = (performance.now() - start) * 1e6;
  const elapsedNs = await timer.readNs();
  timer.destroy();
  expect(elapsedNs).toBeGreaterThan(0);
  expect(elapsedNs).toBeLessThan(wallNs);
});

test('a check ends a job between two submits', async () => {
  let checks = 0;
  const check = () => {
    if (++checks === 3) throw new Error('enough');
  };
  const { submit } = gpu.engine.device.queue;
  let submits = 0;
  gpu.engine.device.queue.submit = function (...args) {
    submits++;
    return submit.apply(this, args);
  };
  try {
    await expect(run(queueOf(0), { check })).rejects.toThrow('enough');
  } finally {
    gpu.engine.device.queue.submit = submit;
  }
  expect(submits).toBe(2);
  await expect(run(queueOf(Infinity))).resolves.toMatchObject({ submits: 1 });
});

test('what the GPU refuses in a later piece is an error', async () => {
  const broken: Stage = { ...executor, label: 'broken', work: [1, 1], record: (pass, from) => from === 1 && pass.dispatchWorkgroups(1) };
  await expect(run(queueOf(1), { stages: [broken] })).rejects.toMatchObject({ code: 'gpu-validation' });
});

describe('in a session', () => {
  const image = (side: number): Tensor => ({ shape: [1, 3, side, side], data: distinctValues(3 * side * side, 2) });

  test('a small network is one submit from the first run on', async () => {
    const session = await createSession(seededModel({ arch: 'resnet_small14' }, 1), { device: gpu.engine.device });
    for (let i = 0; i < 2; i++) {
      expect(await session.runTimed({ shape: [1, 1, 28, 28], data: input })).toMatchObject({ submits: 1 });
    }
    session.dispose();
  });

  test('a large one begins in pieces; they compute the same as in one pass', async () => {
    const model = seededModel({ arch: 'resnet18' }, 1, { height: 160 });
    const expected = await gpu.run(model.graph, model.weights, image(160));
    const session = await createSession(model, { device: gpu.engine.device });
    const { output, submits, gpuTimeMs, latencyMs } = await session.runTimed(image(160));
    expect(submits).toBeGreaterThan(1);
    expect([...output.data]).toEqual([...expected.data]);
    expect(gpuTimeMs).toBeGreaterThan(0);
    expect(gpuTimeMs).toBeLessThan(latencyMs);
    session.dispose();
  });

  test('a batch of which one dispatch would last too long is run in parts', async () => {
    const g = new GraphBuilder();
    // 37.7 MMAC an image: 26 of them are a second's work for the slowest adapter.
    g.conv2d('conv', g.input({ n: 1, h: 32, w: 32, c: 64 }), 64, { kernelSize: 3, padding: 1 });
    const graph = g.build('one convolution');
    const session = await createSession({ graph, weights: seededWeights(graphParams(graph), 1) }, { gpu: (await openNodeGpu()).gpu, ownDevice: true });
    const batch = { shape: [40, 64, 32, 32], data: seededUniform(3, 'batch', 40 * 64 * 32 * 32, -1, 1) };
    const { output, submits } = await session.runTimed(batch);
    expect(submits).toBe(2);
    expect(output.shape).toEqual([40, 64, 32, 32]);
    const size = 64 * 32 * 32;
    for (const at of [0, 25, 26, 39]) {
      const alone = await session.run({ shape: [1, 64, 32, 32], data: batch.data.subarray(at * size, (at + 1) * size) });
      expectClose(output.data.subarray(at * size, (at + 1) * size), alone.data, { relativeL2: 1e-6 });
    }
    session.dispose();
  });

  test('disposed between two submits, a run rejects with that and submits nothing more', async () => {
    const { adapter } = await openNodeGpu();
    const device = await adapter.requestDevice();
    const session = await createSession(seededModel({ arch: 'resnet18' }, 1, { height: 160 }), { device });
    let submits = 0;
    const { submit } = device.queue;
    device.queue.submit = function (...args) {
      submits++;
      return submit.apply(this, args);
    };
    device.queue.onSubmittedWorkDone = async () => {
      session.dispose();
      return undefined;
    };
    await expect(session.run(image(160))).rejects.toMatchObject({ code: 'disposed' });
    expect(submits).toBe(1);
    device.destroy();
  });
});

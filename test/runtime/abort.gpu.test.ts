/** Calls aborted at any moment of theirs: they reject or are right, what comes next is right, and nothing is left on the GPU. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import { loadModel, type Session, type Tensor } from '../../src/index.ts';
import { distinctValues } from '../support/random.ts';
import { rounds } from '../support/rounds.ts';
import { smallModelFile } from '../support/small-model.ts';
import { trackGpu, type TrackedGpu } from '../support/track-gpu.ts';

const file = smallModelFile();
const image: Tensor = { shape: [1, 1, 28, 28], data: distinctValues(784, 1) };
const pixels = { width: 40, height: 30, data: new Uint8Array(4800).fill(77) };

let gpu: GPU;
let tracked: TrackedGpu;
let session: Session;
let expected: number[];

beforeAll(async () => {
  const opened = await openNodeGpu();
  gpu = opened.gpu;
  console.log(`adapter: ${opened.describe}`);
});
beforeEach(async () => {
  tracked = trackGpu(gpu);
  session = await loadModel(file, { gpu: tracked.gpu });
  expected = [...(await session.run(image)).data];
});
afterEach(async () => {
  // Calls that were aborted come to their end before this one.
  await session.run(image);
  session.dispose();
  expect({ bytes: tracked.bytes(), objects: tracked.objects() }).toEqual({ bytes: 0, objects: 0 });
});

/** The file in pieces, as a server sends it: 16 pieces with a pause before each. */
function slowly(): typeof fetch {
  return (_, { signal } = {}) => {
    const pieces = Array.from({ length: 16 }, (_, i) => file.slice((i * file.length) >> 4, ((i + 1) * file.length) >> 4));
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        await new Promise((resolve) => setTimeout(resolve, 2));
        signal?.throwIfAborted();
        const piece = pieces.shift();
        if (piece) controller.enqueue(piece);
        else controller.close();
      },
    });
    return Promise.resolve(new Response(body, { headers: { 'content-length': String(file.length) } }));
  };
}

describe('a server that stalls when the file is read again', () => {
  /** Of a size that wants other kernels, and so other constants. */
  const pixel: Tensor = { shape: [1, 1, 1, 1], data: distinctValues(1, 3) };
  let reading: Session;
  let cancelled: boolean;

  beforeEach(async () => {
    cancelled = false;
    let times = 0;
    const request: typeof fetch = () => {
      const isFirst = times++ === 0;
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          controller.enqueue(isFirst ? file : file.slice(0, file.length >> 1));
          if (isFirst) controller.close();
        },
        cancel: () => void (cancelled = true),
      });
      return Promise.resolve(new Response(body));
    };
    reading = await loadModel('https://a.site/model', { gpu: tracked.gpu, fetch: request });
  });
  afterEach(() => reading.dispose());
  test('holds nobody up once the run is aborted', async () => {
    const controller = new AbortController();
    const run = reading.run(pixel, { signal: controller.signal });
    setTimeout(() => controller.abort(), 200);
    await expect(run).rejects.toMatchObject({ code: 'aborted' });
    expect([...(await session.run(image)).data]).toEqual(expected);
    expect(cancelled).toBe(true);
  });

  test('holds nobody up once the session is disposed', async () => {
    const run = reading.run(pixel);
    setTimeout(() => reading.dispose(), 200);
    await expect(run).rejects.toMatchObject({ code: 'disposed' });
    expect([...(await session.run(image)).data]).toEqual(expected);
    expect(cancelled).toBe(true);
  });
});

describe.each<[string, (other: Session) => Promise<unknown>]>([
  ['run, on another size', (other) => other.run({ shape: [3, 1, 20, 36], data: distinctValues(3 * 720, 2) })],
  ['run, on an image', (other) => other.run(pixels)],
  ['features', (other) => other.features(image, ['layer1'])],
])('a session disposed of during %s', (_, call) => {
  test('leaves nothing on the device that others go on with, at any moment', async () => {
    const left = () => ({ bytes: tracked.bytes(), objects: tracked.objects() });
    const before = left();
    const other = await loadModel(file, { gpu: tracked.gpu });
    const start = performance.now();
    await call(other);
    const duration = performance.now() - start;
    other.dispose();
    const steps = rounds(6, 50);
    for (let step = 0; step < steps; step++) {
      const disposed = await loadModel(file, { gpu: tracked.gpu });
      const running = call(disposed).catch((error: unknown) => expect(error).toMatchObject({ code: 'disposed' }));
      await new Promise((resolve) => setTimeout(resolve, (step / steps) * duration));
      disposed.dispose();
      await running;
      await session.run(image); // What was in progress comes to its end before this one.
      expect(left()).toEqual(before);
    }
  });
});

type Call = (signal?: AbortSignal) => Promise<unknown>;

/** What they give is freed by themselves. */
const calls: Record<string, Call> = {
  'loadModel, from an address': async (signal) => {
    (await loadModel('https://a.site/model', { gpu: tracked.gpu, fetch: slowly(), ...(signal && { signal }) })).dispose();
  },
  'loadModel, on a device of its own': async (signal) => {
    (await loadModel(new Blob([file]), { gpu: tracked.gpu, ownDevice: true, ...(signal && { signal }) })).dispose();
  },
  run: (signal) => session.run(image, signal && { signal }),
  'run, on an image': (signal) => session.run(pixels, signal && { signal }),
  'run, on another size': (signal) => session.run({ shape: [3, 1, 20, 36], data: distinctValues(3 * 720, 2) }, signal && { signal }),
  features: (signal) => session.features(image, ['layer1'], signal && { signal }),
  runOnGpu: async (signal) => (await session.runOnGpu(image, signal && { signal })).destroy(),
  selfTest: (signal) => session.selfTest(signal && { signal }),
};
/** Takes ten seconds by itself; `tuner.gpu.test.ts` aborts it, too. */
const tune: Call = (signal) => session.tune({ cache: null, fresh: true, ...(signal && { signal }) });

describe.each(Object.entries(rounds(calls, { ...calls, tune })))('%s, aborted', (_, call) => {
  test('at any moment', async () => {
    await call(); // Compiles, once for all.
    const start = performance.now();
    await call();
    const duration = performance.now() - start;
    const steps = rounds(5, 50);
    let aborted = 0;
    for (let step = 0; step < steps; step++) {
      const controller = new AbortController();
      const timer = setTimeout(() => controller.abort(), (step / steps) * duration);
      await call(controller.signal).catch((error: unknown) => {
        expect(error).toMatchObject({ name: 'CompConvError', code: 'aborted' });
        aborted++;
      });
      clearTimeout(timer);
      expect([...(await session.run(image)).data]).toEqual(expected);
    }
    console.log(`${aborted} of ${steps} calls were aborted, at ${steps} moments of ${duration.toFixed(0)} ms`);
    await expect(call(AbortSignal.abort())).rejects.toMatchObject({ code: 'aborted' });
  });
});

/** Sessions loaded and disposed of, and runs, again and again, and what is held after that. Runs in Node and in a page. */
import { loadModel, type CompConvError, type LoadModelOptions, type SessionInput } from '../../src/index.ts';
import { seededUniform } from '../../src/weights/seeded.ts';
import { trackGpu } from '../support/track-gpu.ts';

export interface Endurance {
  readonly gpu: GPU;
  /** The model, for 28 x 28 images of one channel. */
  readonly file: Blob;
  readonly loads: number;
  readonly runs: number;
  /** Bytes of JavaScript's heap after a collection of garbage. */
  readonly usedHeap: () => Promise<number>;
}

export interface EnduranceReport {
  readonly adapter: string;
  /** Outputs that were not those of the first time. */
  readonly wrong: number;
  readonly loading: Held;
  readonly running: Held;
  /** On the GPU, when the last session was disposed of. */
  readonly atEnd: { readonly bytes: number; readonly objects: number };
}

export interface Held {
  /** On the GPU before, and at most after a round. */
  readonly gpuBytes: { readonly before: number; readonly worst: number };
  /** JavaScript's, after each tenth of the rounds. */
  readonly heapBytes: readonly number[];
}

export async function endure({ gpu, file, loads, runs, usedHeap }: Endurance): Promise<EnduranceReport> {
  const tracked = trackGpu(gpu);
  const load = (options: LoadModelOptions = {}) => loadModel(file, { gpu: tracked.gpu, ...options });
  const images = [1, 2, 3].map((n) => ({ shape: [n, 1, 28, 28], data: seededUniform(n, 'image', n * 784, -1, 1) }));
  const pixels = { width: 40, height: 30, data: new Uint8Array(seededUniform(4, 'pixels', 4800, 0, 255)) };
  // Keeps the device, as an app does that shows one model after the other.
  const keeper = await load();
  const inputs: SessionInput[] = [...images, pixels];
  const expected: string[] = [];
  for (const input of inputs) expected.push(String((await keeper.run(input)).data));
  let wrong = 0;
  const look = (output: ArrayLike<number>, input: number) => void (String(output) === expected[input] || wrong++);

  async function rounds(count: number, round: (i: number) => Promise<void>): Promise<Held> {
    const gpuBytes = { before: tracked.bytes(), worst: 0 };
    const heapBytes: number[] = [];
    for (let i = 0; i < count; i++) {
      await round(i);
      gpuBytes.worst = Math.max(gpuBytes.worst, tracked.bytes());
      if (Math.floor((10 * (i + 1)) / count) > heapBytes.length) heapBytes.push(await usedHeap());
    }
    return { gpuBytes, heapBytes };
  }

  const loading = await rounds(loads, async (i) => {
    if (i % 5 === 4) {
      // Given up halfway.
      const half = file.size / 2;
      const giveUp = new AbortController();
      const onProgress = ({ done }: { done: number }) => done > half && giveUp.abort();
      await load({ signal: giveUp.signal, onProgress }).catch(expectCode('aborted'));
      return;
    }
    const session = await load();
    look((await session.run(images[0])).data, 0);
    const { layer2 } = await session.features(pixels, ['layer2']);
    if (layer2.shape.length !== 4) wrong++;
    const onGpu = await session.runOnGpu(images[1]);
    onGpu.destroy();
    session.dispose();
  });
  const running = await rounds(runs, async (i) => {
    const kind = i % 50 === 0 ? 1 + (i / 50) % 2 : i % 10 === 0 ? 3 : 0;
    if (i % 20 === 13) {
      const giveUp = new AbortController();
      const run = keeper.run(inputs[kind], { signal: giveUp.signal });
      setTimeout(() => giveUp.abort());
      await run.then(({ data }) => look(data, kind), expectCode('aborted'));
    } else {
      look((await keeper.run(inputs[kind])).data, kind);
    }
  });
  const adapter = keeper.adapter.name;
  keeper.dispose();
  return { adapter, wrong, loading, running, atEnd: { bytes: tracked.bytes(), objects: tracked.objects() } };
}

const expectCode = (code: string) => (error: CompConvError) => {
  if (error.code !== code) throw error;
};

/** How much a heap has grown in the second half of the rounds, when all is compiled and cached. */
export const growth = ({ heapBytes }: Held): number => heapBytes.at(-1)! - heapBytes[Math.floor(heapBytes.length / 2) - 1];

/** Less than that is noise: compiled code, and a page's or test runner's own work. A leak of 200 bytes a run or 20 kB a session is more, in `npm run soak`. */
export const NOISE_BYTES = 1e6;

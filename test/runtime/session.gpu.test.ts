/** A session as its users meet it: runs, queues, batches, images, errors, disposal, a caller's device, a lost device. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { readFileSync } from 'node:fs';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import {
  CompConvError,
  compress,
  createSession,
  GraphBuilder,
  graphParams,
  readModel,
  seededModel,
  seededWeights,
  writeSafetensors,
  type Model,
  type Session,
  type SessionOptions,
  type Tensor,
} from '../../src/index.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import { withInputShape } from '../../src/graph/graph.ts';
import { expectClose } from '../support/compare.ts';
import { distinctValues } from '../support/random.ts';

let adapter: GPUAdapter;
const sessions: Session[] = [];

beforeAll(async () => {
  const { adapter: first, describe: name } = await openNodeGpu();
  console.log(`adapter: ${name}`);
  await first.requestDevice().then((device) => device.destroy());
});
afterEach(() => {
  for (const session of sessions.splice(0)) session.dispose();
});

/** An adapter gives one device, so every session gets one of its own. */
async function open(model: Model, options: SessionOptions = {}): Promise<Session> {
  if (!options.device) ({ adapter } = await openNodeGpu());
  const session = await createSession(model, { adapter, ...options });
  sessions.push(session);
  return session;
}

const small = (c0?: number) => seededModel({ arch: 'resnet_small14', ...(c0 ? { c0 } : {}) }, 5);

function image(n: number, seed: number, side = 28): Tensor {
  return { shape: [n, 1, side, side], data: distinctValues(n * side * side, seed) };
}

function expected(model: Model, input: Tensor): Float32Array {
  const [n, c, h, w] = input.shape;
  const graph = withInputShape(model.graph, { n, h, w, c });
  return toTensor(runReference(graph, model.weights, input).get(graph.output)!).data;
}

const code = (expectedCode: string) => expect.objectContaining({ name: 'CompConvError', code: expectedCode });

describe('run', () => {
  test('gives the logits of the reference, for batches and sizes that come one after another', async () => {
    const model = small(16);
    const session = await open(model);
    for (const input of [image(1, 1), image(3, 2), image(1, 3, 33), image(2, 4, 20), image(1, 5, 7), image(1, 6)]) {
      const output = await session.run(input);
      expect(output.shape).toEqual([input.shape[0], 10]);
      expectClose(output.data, expected(model, input), { relativeL2: 1e-5 });
    }
  });

  test('runs that come at the same time queue, and each gets its own answer', async () => {
    const model = small();
    const session = await open(model);
    const inputs = Array.from({ length: 12 }, (_, i) => image(1 + (i % 2), 10 + i));
    const alone: Tensor[] = [];
    for (const input of inputs) alone.push(await session.run(input));
    const together = await Promise.all(inputs.map((input) => session.run(input)));
    together.forEach((output, i) => expect([...output.data]).toEqual([...alone[i].data]));
  });

  test('a bad input is refused with what is wrong, and the next run works', async () => {
    const session = await open(small());
    await expect(session.run({ shape: [1, 3, 28, 28], data: new Float32Array(3 * 784) })).rejects.toThrow(
      /the input must be \[N, 1, H, W\] with N >= 1, got \[1, 3, 28, 28\]/,
    );
    await expect(session.run({ shape: [1, 1, 28, 28], data: new Float32Array(5) })).rejects.toThrow(/needs 784 elements, got 5/);
    await expect(session.run([])).rejects.toThrow(/empty list of images/);
    await expect(session.run('cat.jpg' as never)).rejects.toEqual(code('invalid-argument'));
    await expect(session.run(null as never)).rejects.toEqual(code('invalid-argument'));
    for (const shape of [null, undefined, [], ['a'], {}, 'x']) {
      const wrong = { shape, data: new Float32Array(1) } as never;
      await expect(session.run(wrong)).rejects.toEqual(code('invalid-argument'));
      await expect(session.classify(wrong)).rejects.toEqual(code('invalid-argument'));
    }
    await expect(session.run(image(1, 1))).resolves.toMatchObject({ shape: [1, 10] });
  });

  test('weights that do not fit the graph are refused; one that is NaN is found in the output', async () => {
    const { graph, weights } = small();
    const name = 'layer1.0.conv2.weight';
    const others = [...weights.shapes].filter(([other]) => other !== name);
    const [o, i, ...kernel] = weights.shapes.get(name)!;
    await expect(open({ graph, weights: { ...weights, shapes: new Map(others) } })).rejects.toThrow(/missing \(1\):\s+layer1\.0\.conv2\.weight/);
    const transposed = new Map([...others, [name, [i + 1, o, ...kernel]] as const]);
    await expect(open({ graph, weights: { ...weights, shapes: transposed } })).rejects.toThrow(/of another shape \(1\):\s+layer1\.0\.conv2\.weight/);
    const get = (change: (data: Float32Array) => Float32Array) => (asked: string) => {
      const tensor = weights.get(asked);
      return asked === name ? { ...tensor, data: change(tensor.data) } : tensor;
    };
    await expect(open({ graph, weights: { ...weights, get: get((data) => data.slice(1)) } })).rejects.toThrow(/^layer1\.0\.conv2\.weight: is \[.*\] by `shapes`, got .* values$/);
    const session = await open({ graph, weights: { shapes: new Map([...weights.shapes, ['more', [1]]]), get: get((data) => data.map(() => NaN)) } });
    await expect(session.run(image(1, 1))).rejects.toEqual(code('non-finite'));
    const finite = await open({ graph, weights });
    await expect(finite.run({ ...image(1, 1), data: new Float32Array(784).fill(NaN) })).rejects.toEqual(code('non-finite'));
  });

  test('runTimed tells how long it took', async () => {
    const session = await open(small());
    const { latencyMs, encodeMs, gpuTimeMs } = await session.runTimed(image(1, 1));
    expect(encodeMs).toBeGreaterThan(0);
    expect(encodeMs).toBeLessThan(latencyMs);
    expect(latencyMs).toBeGreaterThan(0);
    if (session.adapter.features.includes('timestamp-query') && gpuTimeMs !== undefined) expect(gpuTimeMs).toBeGreaterThan(0);
  });
});

describe('features', () => {
  test('of inner layers are those of the reference, for a batch too, and the next run is as before', async () => {
    const model = small(16);
    const session = await open(model);
    const input = image(2, 7);
    const before = await session.run(input);
    const features = await session.features(input, ['layer1', 'layer3.0.conv1', 'fc']);
    const values = runReference(withInputShape(model.graph, { n: 2, h: 28, w: 28, c: 1 }), model.weights, input);
    const last = model.graph.nodes.findLast(({ name }) => name.startsWith('layer1.'))!.name;
    expect(Object.keys(features)).toEqual(['layer1', 'layer3.0.conv1', 'fc']);
    for (const [tap, name] of [['layer1', last], ['layer3.0.conv1', 'layer3.0.conv1'], ['fc', 'fc']]) {
      const expected = toTensor(values.get(name)!);
      expect(features[tap].shape).toEqual(expected.shape);
      expectClose(features[tap].data, expected.data, { relativeL2: 1e-5 });
    }
    expect([...(await session.run(input)).data]).toEqual([...before.data]);
    await expect(session.features(input, [])).rejects.toMatchObject({ code: 'invalid-argument', message: expect.stringContaining('give a list of names') as string });
    await expect(session.features(input, ['layer9'])).rejects.toThrow(/has no value "layer9": close are/);
  });
});

describe('on the GPU', () => {
  test('a buffer goes in and another comes out, with the same values', async () => {
    const session = await open(small(16));
    const input = image(3, 8);
    const expected = await session.run(input);
    const buffer = session.device.createBuffer({ size: input.data.byteLength, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST });
    session.device.queue.writeBuffer(buffer, 0, input.data as Float32Array<ArrayBuffer>);
    const output = await session.run({ shape: input.shape, buffer });
    expect([...output.data]).toEqual([...expected.data]);
    const { device } = session;
    const onGpu = await session.runOnGpu({ shape: input.shape, buffer });
    expect(onGpu.shape).toEqual([3, 10]);
    const readback = device.createBuffer({ size: 120, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(onGpu.buffer, 0, readback, 0, 120);
    device.queue.submit([encoder.finish()]);
    await readback.mapAsync(GPUMapMode.READ);
    expect([...new Float32Array(readback.getMappedRange())]).toEqual([...expected.data]);
    onGpu.destroy();
  });
});

describe('selfTest', () => {
  test('finds every kernel in use right, and changes nothing', async () => {
    const session = await open(small(16));
    const before = await session.run(image(1, 9));
    const report = await session.selfTest();
    expect(report).toMatchObject({ ok: true, excluded: [], network: session.graph.name });
    expect(report.variants.every(({ status }) => status === 'passed')).toBe(true);
    expect([...(await session.run(image(1, 9))).data]).toEqual([...before.data]);
  });
});

describe('images', () => {
  test('classify resizes, normalises and names the classes', async () => {
    const bytes = readFileSync(new URL('../../public/models/fashion-mnist-compconv.safetensors', import.meta.url));
    const session = await open(await readModel(bytes));
    const pixels = new Uint8Array(28 * 28 * 4).map((_, i) => (i % 4 === 3 ? 255 : (i * 7) % 256));
    const image = { width: 28, height: 28, data: pixels };
    const top = await session.classify(image, { topK: 3 });
    expect(top).toHaveLength(3);
    expect(top[0].score).toBeGreaterThanOrEqual(top[1].score);
    expect(session.model.labels).toContain(top[0].label);
    // The same pixels as a tensor: gray, normalised by hand.
    const data = Float32Array.from({ length: 784 }, (_, i) => {
      const [r, g, b] = pixels.subarray(4 * i, 4 * i + 3);
      return (((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) / 255 - 0.286) / 0.353;
    });
    const logits = await session.run({ shape: [1, 1, 28, 28], data });
    expect(logits.data.indexOf(Math.max(...logits.data))).toBe(top[0].index);
    // Mirrored by the session, and mirrored by hand.
    const mirrored = pixels.map((_, i) => pixels[(Math.floor(i / 112) * 28 + 27 - Math.floor((i % 112) / 4)) * 4 + (i % 4)]);
    const flipped = await session.run({ width: 28, height: 28, data: pixels }, { flip: true });
    expect([...flipped.data]).toEqual([...(await session.run({ width: 28, height: 28, data: mirrored })).data]);
    expect([...flipped.data]).not.toEqual([...(await session.run({ width: 28, height: 28, data: pixels })).data]);
  });
});

describe('a network of one\'s own', () => {
  test('runs tensors, and says that it cannot be shown images without a `preprocess`', async () => {
    const g = new GraphBuilder();
    const x = g.input({ n: 1, h: 9, w: 7, c: 3 });
    g.linear('fc', g.avgPool('pool', g.relu('relu', g.batchNorm('bn', g.conv2d('conv', x, 22, { kernelSize: 3, padding: 1 }))), 1, 1), 5);
    const graph = compress(g.build('tiny'), { depths: { conv: 1 } });
    const model: Model = { graph, weights: seededWeights(graphParams(graph), 1) };
    const session = await open(model);
    const input = { shape: [1, 3, 9, 7], data: distinctValues(3 * 63, 1) };
    expectClose((await session.run(input)).data, expected(model, input), { relativeL2: 1e-5 });
    const pixels = new Uint8Array(9 * 7 * 4);
    await expect(session.run({ width: 7, height: 9, data: pixels })).rejects.toThrow(/takes tensors only, not images/);
  });
});

describe('creation', () => {
  test('reports upload and compile progress up to the end', async () => {
    const events: string[] = [];
    await open(small(16), { onProgress: ({ phase, done, total }) => events.push(`${phase} ${done === total ? 'end' : ''}`) });
    expect(events).toContain('upload end');
    expect(events).toContain('compile end');
  });

  test('can be aborted before and in between', async () => {
    await expect(open(small(), { signal: AbortSignal.abort() })).rejects.toEqual(code('aborted'));
    const controller = new AbortController();
    await expect(open(small(), { signal: controller.signal, onProgress: () => controller.abort() })).rejects.toEqual(code('aborted'));
  });

  test('says what to do where there is no WebGPU and where there is no adapter', async () => {
    await expect(createSession(small(), {})).rejects.toThrow(/WebGPU is not available here: use a browser/);
    const gpu = { requestAdapter: async () => null } as unknown as GPU;
    await expect(createSession(small(), { gpu })).rejects.toEqual(code('webgpu-unavailable'));
  });

  test('runs on a device with no more than the default limits, and says before running what does not fit', async () => {
    const { adapter: plain } = await openNodeGpu();
    const device = await plain.requestDevice();
    const model = small(16);
    const session = await open(model, { device });
    expect(session.adapter.limits).toMatchObject({ maxStorageBufferBindingSize: 134217728, maxStorageBuffersPerShaderStage: 8 });
    expectClose((await session.run(image(1, 1))).data, expected(model, image(1, 1)), { relativeL2: 1e-5 });
    const huge = { shape: [1, 1, 1500, 1500], data: new Float32Array(1500 * 1500) };
    await expect(session.run(huge)).rejects.toThrow(/needs \d+ bytes, but this adapter binds at most 134217728; use a smaller batch or image/);
    await expect(session.run(image(1, 1))).resolves.toBeDefined();
    device.destroy();
  });
});

describe('the end', () => {
  test('dispose is idempotent, leaves a caller\'s device alone, and use after it throws', async () => {
    const { adapter: plain } = await openNodeGpu();
    const device = await plain.requestDevice();
    let lost = false;
    void device.lost.then(() => (lost = true));
    const session = await open(small(), { device });
    session.dispose();
    session.dispose();
    await expect(session.run(image(1, 1))).rejects.toEqual(code('disposed'));
    const buffer = device.createBuffer({ size: 16, usage: GPUBufferUsage.STORAGE });
    await device.queue.onSubmittedWorkDone();
    expect(lost).toBe(false);
    buffer.destroy();
    device.destroy();
  });

  test('a run in progress when the session is disposed rejects with that', async () => {
    const session = await open(small());
    const running = session.run(image(4, 1));
    const waiting = session.run(image(1, 2));
    session.dispose();
    await expect(running).rejects.toEqual(code('disposed'));
    await expect(waiting).rejects.toEqual(code('disposed'));
  });

  test('a lost device rejects what runs, and what comes later, with a typed error', async () => {
    const { adapter: plain } = await openNodeGpu();
    const device = await plain.requestDevice();
    const session = await open(small(), { device });
    const running = session.run(image(8, 1));
    device.destroy();
    await expect(running).rejects.toEqual(code('device-lost'));
    await expect(session.run(image(1, 1))).rejects.toEqual(code('device-lost'));
  });

});

describe('readModel', () => {
  const plain = small();
  const tensors = () => [...plain.weights.shapes.keys()].map((name) => [name, plain.weights.get(name)] as const);

  test('a file without metadata loads with the caller\'s options', async () => {
    const file = writeSafetensors(tensors());
    await expect(readModel(file)).rejects.toThrow(/no "compconv" metadata.*give `arch`/);
    const model = await readModel(file, { network: { arch: 'resnet_small14' } });
    const session = await open(model);
    expectClose((await session.run(image(1, 1))).data, expected(plain, image(1, 1)), { relativeL2: 1e-5 });
  });

  test('names every missing and unexpected tensor', async () => {
    const error: unknown = await readModel(writeSafetensors(tensors()), { network: { arch: 'resnet_small14', c0: 16 } }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(CompConvError);
    const { message } = error as Error;
    for (const name of ['conv1.primitive.weight', 'layer3.1.conv2.grow.1.weight', 'conv1.weight', 'layer3.1.conv2.weight']) {
      expect(message).toContain(name);
    }
  });
});

/** loadModel: a file that streams to the GPU computes what the file at hand does, and what goes wrong on the way is a typed error. */
import { createServer, type Server } from 'node:http';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import { createSession, loadModel, readModel, type CachedModel, type LoadProgress, type ModelCache, type Tensor } from '../../src/index.ts';
import { expectClose } from '../support/compare.ts';
import { distinctValues } from '../support/random.ts';
import { smallModelFile } from '../support/small-model.ts';

const file = Buffer.from(smallModelFile());
const sha256 = createHash('sha256').update(file).digest('hex');
const image: Tensor = { shape: [1, 1, 28, 28], data: distinctValues(784, 1) };
const code = (expected: string) => expect.objectContaining({ name: 'CompConvError', code: expected });

let gpu: GPU;
let server: Server;
let url: string;
let expected: number[];
let requests = 0;

beforeAll(async () => {
  const opened = await openNodeGpu();
  gpu = opened.gpu;
  console.log(`adapter: ${opened.describe}`);
  const session = await createSession(await readModel(file), { gpu });
  expected = [...(await session.run(image)).data];
  session.dispose();
  server = createServer((request, response) => {
    requests++;
    const [path] = request.url!.split('?');
    // Kept alive, it may be closed just when the next request takes it: loads here block for as long as that takes.
    response.setHeader('connection', 'close');
    if (path === '/missing') return void response.writeHead(404).end();
    const bytes = path === '/damaged' ? Buffer.concat([file.subarray(0, -4), Buffer.from('oops')]) : file;
    const known = path !== '/chunked';
    response.writeHead(200, known ? { 'content-length': bytes.length } : {});
    if (path === '/cut') return void response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
    if (path === '/short') return void response.end(bytes.subarray(0, -100));
    // In odd pieces.
    for (let from = 0; from < bytes.length; from += 719) response.write(bytes.subarray(from, from + 719));
    response.end();
  }).listen(0);
  // Else a connection that it drops after 5 s of compiling may just be taken for the next request.
  server.keepAliveTimeout = 0;
  url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
});
afterAll(() => void server.close());

describe('gives what the file at hand does', () => {
  test.each([
    ['an address', () => `${url}/model`],
    ['an address without a length', () => `${url}/chunked`],
    ['a Blob', () => new Blob([file])],
    ['bytes', () => new Uint8Array(file)],
  ])('%s', async (_, source) => {
    const progress: LoadProgress[] = [];
    const session = await loadModel(source(), { gpu, integrity: sha256, onProgress: (each) => progress.push(each) });
    expect([...(await session.run(image)).data]).toEqual(expected);
    const bytes = progress.filter(({ phase }) => phase === 'download');
    expect(bytes.at(-1)).toEqual({ phase: 'download', done: file.length, total: file.length });
    expect(bytes.map(({ done }) => done)).toEqual(bytes.map(({ done }) => done).sort((a, b) => a - b));
    const pipelines = progress.slice(bytes.length);
    expect(pipelines.every(({ phase }) => phase === 'compile')).toBe(true);
    expect(pipelines.at(-1)!.done).toBe(pipelines.at(-1)!.total);
    session.dispose();
  });
});

test('one request for a load; another input size and another device read the file again', async () => {
  requests = 0;
  const session = await loadModel(`${url}/model`, { gpu });
  expect(requests).toBe(1);
  session.device.destroy();
  await session.device.lost;
  expect([...(await session.run(image)).data]).toEqual(expected);
  expect(requests).toBe(2);
  session.dispose();
});

test('progress never decreases, past a damaged copy either', async () => {
  const inPieces = (bytes: Uint8Array, atEnd = Promise.resolve()) =>
    new ReadableStream<Uint8Array<ArrayBuffer>>({
      async start(controller) {
        for (let from = 0; from < bytes.length; from += 719) controller.enqueue(Uint8Array.from(bytes.subarray(from, from + 719)));
        await atEnd;
        controller.close();
      },
    });
  const damaged = Uint8Array.from(file);
  damaged[damaged.length - 5] ^= 1;
  const about: CachedModel = { url: 'http://localhost/model', byteLength: file.length, sha256, storedAt: '2026-11-28T00:00:00Z', validators: {} };
  /** Has only the damaged copy. */
  const cacheOf = (stream: ReadableStream<Uint8Array<ArrayBuffer>>): ModelCache => {
    let isThere = true;
    return {
      list: async () => [],
      match: async () => (isThere ? { about, stream } : undefined),
      store: async () => Promise.reject(new Error('full')),
      delete: async () => !(isThere = false),
      clear: async () => {},
    };
  };
  const options = { integrity: sha256, fetch: async () => new Response(inPieces(file)) };

  const progress: LoadProgress[] = [];
  // The damage is found when pipelines are compiled already.
  let compiled!: () => void;
  const cache = cacheOf(inPieces(damaged, new Promise((resolve) => (compiled = resolve))));
  const onProgress = (each: LoadProgress) => {
    progress.push(each);
    if (each.phase === 'compile' && each.done > 0) compiled();
  };
  const session = await loadModel(about.url, { ...options, gpu, cache, onProgress });
  expect([...(await session.run(image)).data]).toEqual(expected);
  session.dispose();
  for (const phase of ['download', 'compile']) {
    const steps = progress.filter((each) => each.phase === phase);
    const done = steps.map((each) => each.done);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(done.at(-1)).toBe(steps.at(-1)!.total);
  }

  const read: number[] = [];
  await readModel(about.url, { ...options, cache: cacheOf(inPieces(damaged)), onProgress: ({ done }) => read.push(done) });
  expect(read).toEqual([...read].sort((a, b) => a - b));
  expect(read.at(-1)).toBe(file.length);
});

describe('with a fallback, an adapter of the caller\'s is used', () => {
  /** Whatever it is. */
  const asGpu = (adapter: GPUAdapter) =>
    new Proxy(adapter, {
      get(all, name) {
        if (name === 'info') return { vendor: 'a maker', architecture: 'a GPU', device: '', description: '' };
        const value: unknown = Reflect.get(all, name);
        return typeof value === 'function' ? value.bind(all) : value;
      },
    });

  // Of an address the header takes a while to come.
  test.each([false, true])('once, with `ownDevice: %s`', async (ownDevice) => {
    const adapter = asGpu((await gpu.requestAdapter())!);
    const session = await loadModel(`${url}/model`, { adapter, fallback: 'wasm', ownDevice });
    expect(session.backend).toBe('webgpu');
    expectClose((await session.run(image)).data, Float32Array.from(expected), { relativeL2: 1e-5 });
    session.dispose();
  });

  test('unless it computes on the processor', async () => {
    const adapter = new Proxy(asGpu((await gpu.requestAdapter())!), {
      get: (all, name) => (name === 'info' ? { description: 'llvmpipe' } : Reflect.get(all, name)),
    });
    const session = await loadModel(file, { adapter, fallback: 'wasm', ownDevice: true });
    expect(session).toMatchObject({ backend: 'wasm', reason: 'llvmpipe, software computes on the processor' });
    session.dispose();
  });
});

describe('rejects', () => {
  test.each([
    ['/missing', {}, 'io'],
    ['/cut', {}, 'io'],
    ['/short', {}, 'io'],
    ['/damaged', { integrity: sha256 }, 'integrity'],
    ['/model', { integrity: 'md5-abc' }, 'invalid-argument'],
    ['/model', { maxBytes: 1000 }, 'limit-exceeded'],
    ['/chunked', { maxBytes: 1000 }, 'limit-exceeded'],
    ['/model', { signal: AbortSignal.abort() }, 'aborted'],
    ['/model', { network: { arch: 'resnet18' } }, 'invalid-weights'],
    ['/model', { backend: 'cpu' as 'wasm' }, 'invalid-argument'],
    ['/model', { fallback: 'cpu' as 'wasm' }, 'invalid-argument'],
  ])('%s %o with %s', async (path, options, expectedCode) => {
    await expect(loadModel(`${url}${path}`, { gpu, ...options })).rejects.toEqual(code(expectedCode));
  });

  test.each([0, 0.2, 0.9])('with aborted after a share of %f of the bytes', async (share) => {
    const bytes = Math.max(1, share * file.length);
    const controller = new AbortController();
    const loading = loadModel(`${url}/model`, { gpu, signal: controller.signal, onProgress: ({ done }) => done >= bytes && controller.abort() });
    await expect(loading).rejects.toEqual(code('aborted'));
  });
});

/** loadModel: a file that streams to the GPU computes what the file at hand does, and what goes wrong on the way is a typed error. */
import { createServer, type Server } from 'node:http';
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import { createSession, loadModel, readModel, type LoadProgress, type Tensor } from '../../src/index.ts';
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

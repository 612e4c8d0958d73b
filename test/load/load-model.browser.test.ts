/** loadModel in Chromium: the cache, and WebAssembly where there is no WebGPU. */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { BrowserContext, Page } from 'playwright-core';
import { launchBrowser, startPage, type TestBrowser, type TestPage } from '../support/browser.ts';
import { smallModelFile } from '../support/small-model.ts';

const MODEL = '/models/fashion-mnist-compconv.safetensors';
const file = readFileSync(new URL('../../public/models/fashion-mnist-compconv.safetensors', import.meta.url));

let server: TestPage;
let gpuBrowser: TestBrowser;
let context: BrowserContext;
/** What the server was asked for, and what it answers. */
let requests: string[] = [];
let served: Buffer;

beforeAll(async () => {
  server = await startPage();
  gpuBrowser = await launchBrowser();
  context = await gpuBrowser.browser.newContext();
  await context.route('**/blank-page-of-the-test', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }));
  await context.route(`**${MODEL}`, async (route) => {
    requests.push(route.request().method());
    await route.fulfill({ body: route.request().method() === 'HEAD' ? '' : served, headers: { etag: `"${served.length}"`, 'content-type': 'application/octet-stream' } });
  });
});
afterAll(async () => {
  await gpuBrowser?.close();
  await server?.close();
});

/** As text: the page imports the sources. */
const IN_PAGE = `
  const { loadModel, openModelCache, readModel } = await import('/src/index.ts');
  const input = () => ({ shape: [1, 1, 28, 28], data: Float32Array.from({ length: 784 }, (_, i) => Math.sin(i)) });
  const outcome = (promise) => promise.then((value) => value, ({ name, code, message }) => ({ name, code, message }));
`;

async function evaluate(code: string, before = '', at = 'blank-page-of-the-test'): Promise<any> {
  requests = [];
  const page: Page = await context.newPage();
  if (before) await page.addInitScript(before);
  await page.goto(`${server.url}${at}`);
  try {
    return await page.evaluate(`(async () => {${IN_PAGE}${code}})()`);
  } finally {
    await page.close();
  }
}

test('the cache', async () => {
  const file = Buffer.from(smallModelFile()); // Which has few kernels to compile.
  served = file;
  // As data, which needs no kernels, and, where that makes a difference, streamed to the GPU.
  const load = `
    const bytes = [];
    const { weights } = await readModel('${MODEL}', { cache: true, onProgress: ({ done }) => bytes.push(done) });
    const list = await openModelCache().list();
    return { values: [...weights.get('fc.weight').data], bytes, list };`;
  const stream = `
    const session = await loadModel('${MODEL}', { cache: true });
    const { data } = await session.run(input());
    session.dispose();
    return [...data];`;
  const logits = await evaluate(stream);
  expect(requests).toEqual(['GET']);
  await evaluate('await openModelCache().clear();');
  const first = await evaluate(load);
  expect(requests).toEqual(['GET']);
  expect(first.list).toMatchObject([{ url: `${server.url.slice(0, -1)}${MODEL}`, byteLength: file.length }]);

  const second = await evaluate(load);
  expect(requests).toEqual(['HEAD']);
  expect(second.values).toEqual(first.values);
  expect(second.bytes).toEqual([...second.bytes].sort((a: number, b: number) => a - b));
  expect(second.bytes.at(-1)).toBe(file.length);

  // With a hash the server is not even asked; with another one it is, and gives the wrong file.
  const [{ sha256 }] = first.list;
  await evaluate(`await readModel('${MODEL}', { cache: true, integrity: '${sha256}' });`);
  expect(requests).toEqual([]);
  expect(await evaluate(`return outcome(loadModel('${MODEL}', { cache: true, integrity: '${'0'.repeat(64)}' }));`)).toMatchObject({ code: 'integrity' });

  // A copy gone bad, in its data and in its header, is found out, deleted, and fetched again.
  for (const at of [file.length - 5, 40]) {
    const third = await evaluate(`
      const cache = await caches.open('compconv-webgpu');
      const copy = new Uint8Array(await (await cache.match('${MODEL}')).arrayBuffer());
      copy[${at}] ^= 1;
      await cache.put('${MODEL}', new Response(copy));
      ${stream}`);
    expect(requests).toEqual(['HEAD', 'GET']);
    expect(third).toEqual(logits);
  }
  // So is one that lost its end.
  const cut = await evaluate(`
    const cache = await caches.open('compconv-webgpu');
    const copy = new Uint8Array(await (await cache.match('${MODEL}')).arrayBuffer());
    await cache.put('${MODEL}', new Response(copy.subarray(0, 1000)));
    ${load}`);
  expect(requests).toEqual(['HEAD', 'GET']);
  expect(cut.values).toEqual(first.values);

  // Offline, and full.
  const offline = `globalThis.fetch = () => Promise.reject(new TypeError('offline'));`;
  expect((await evaluate(load, offline)).values).toEqual(first.values);
  const left = await evaluate(`
    const cache = openModelCache();
    const deleted = await cache.delete(new URL('${MODEL}', location.href).href);
    Cache.prototype.put = () => Promise.reject(new DOMException('full', 'QuotaExceededError'));
    await readModel('${MODEL}', { cache: true });
    const list = await cache.list();
    await cache.clear();
    return { deleted, list };`);
  expect(left).toEqual({ deleted: true, list: [] });

  // An aborted download leaves nothing.
  const aborted = await evaluate(`
    const controller = new AbortController();
    const result = await outcome(loadModel('${MODEL}', { cache: true, signal: controller.signal, onProgress: ({ done }) => done > 1000 && controller.abort() }));
    return { result, list: await openModelCache().list() };`);
  expect(aborted).toMatchObject({ result: { code: 'aborted' }, list: [] });
});

test('a file of another site that is encoded, whether or not that shows', async () => {
  const plain = Buffer.from(smallModelFile());
  const encoded = gzipSync(plain);
  const elsewhere = createServer((request, response) => {
    const exposed = decodeURIComponent(request.url!.slice(1));
    const headers = { 'access-control-allow-origin': '*', 'content-encoding': 'gzip', 'content-length': encoded.length };
    response.writeHead(200, { ...headers, ...(exposed && { 'access-control-expose-headers': exposed }) }).end(encoded);
  }).listen(0);
  // Of a page that the server itself serves: browsers keep one that came from nowhere off the local network.
  const inPage = (code: string) => evaluate(code, '', 'package.json');
  const url = `http://localhost:${(elsewhere.address() as AddressInfo).port}/`;
  try {
    for (const exposed of ['', '*', 'content-encoding']) {
      const found = await inPage(`
        const totals = new Set();
        await readModel('${url}${exposed}', { onProgress: ({ total }) => totals.add(total) });
        const refused = await outcome(readModel('${url}${exposed}', { maxBytes: ${plain.length - 1} }));
        return { totals: [...totals], refused };`);
      expect(found).toMatchObject({ totals: [undefined], refused: { code: 'limit-exceeded' } });
    }
    const streamed = await inPage(`
      const progress = [];
      const session = await loadModel('${url}', { maxBytes: ${plain.length}, onProgress: (each) => progress.push(each) });
      session.dispose();
      return progress.filter(({ phase }) => phase === 'download').at(-1);`);
    expect(streamed).toEqual({ phase: 'download', done: plain.length, total: plain.length });
  } finally {
    elsewhere.close();
  }
});

test('WebAssembly where there is no WebGPU, or only a software adapter', async () => {
  served = file;
  const code = `
    const session = await loadModel('${MODEL}', { fallback: 'wasm' });
    const { data } = await session.run(input());
    const image = await (await fetch('/images/fashion-mnist/test-0000.png')).blob();
    const [{ label }] = await session.classify(image, { topK: 1 });
    const batch = await session.run({ shape: [2, 1, 28, 28], data: new Float32Array(1568).fill(0.5) });
    const { backend, reason } = session;
    const several = await outcome(session.classify([image, image]));
    session.dispose();
    return { backend, reason, logits: [...data], label, batch: batch.shape, several, ended: await outcome(session.run(input())) };`;
  const without = await evaluate(code, `Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined })`);
  expect(without).toMatchObject({ backend: 'wasm', reason: expect.stringContaining('WebGPU is not available here') as string, label: 'Ankle boot', batch: [2, 10], several: { code: 'invalid-argument' }, ended: { code: 'disposed' } });
  const refusal = await evaluate(`return outcome(loadModel('${MODEL}'));`, `Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined })`);
  expect(refusal).toMatchObject({ code: 'webgpu-unavailable' });
  const onGpu = await evaluate(`const session = await loadModel('${MODEL}'); const { data } = await session.run(input()); session.dispose(); return [...data];`);
  without.logits.forEach((value: number, i: number) => expect(Math.abs(value - onGpu[i])).toBeLessThan(1e-4));
  if (gpuBrowser.isSoftware) expect(await evaluate(code)).toMatchObject({ backend: 'wasm', reason: expect.stringContaining('computes on the processor') as string });
});

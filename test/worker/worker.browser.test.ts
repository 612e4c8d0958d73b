/** The engine in a worker, in Chromium: it gives what the page's own session gives, and no call is left without an end. */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { launchBrowser, startPage, type TestBrowser, type TestPage } from '../support/browser.ts';

/** Workers by the name of their script. */
const SCRIPTS: Record<string, string> = {
  'serving.js': `import { serve } from '/src/worker/worker.ts'; serve(); addEventListener('message', ({ data }) => postMessage(data));`,
  'own-backend.js': `import { serve } from '/src/worker/worker.ts'; serve({ backend: 'wasm' });`,
  'own-fetch.js': `import { serve } from '/src/worker/worker.ts'; serve({ fetch: async (url) => new Response('', { status: 418 }) });`,
  'throwing.js': `throw new Error('a slip of the app');`,
  'silent.js': `addEventListener('message', () => {});`,
  'late-slip.js': `import { serve } from '/src/worker/worker.ts'; serve(); addEventListener('message', () => { throw new Error('a later slip of the app'); });`,
  'losing.js': `
    import { serve } from '/src/worker/worker.ts';
    const { requestDevice } = GPUAdapter.prototype;
    let device;
    GPUAdapter.prototype.requestDevice = async function (...args) { return (device = await requestDevice.apply(this, args)); };
    serve();
    addEventListener('message', () => { void device.lost.then(() => postMessage('lost')); device.destroy(); });`,
};

/** What every test begins with, as text: the page imports the sources. */
const IN_PAGE = `
  const { loadModel } = await import('/src/index.ts');
  const { connect } = await import('/src/worker/worker.ts');
  const workerOf = (script) => new Worker('/' + script, { type: 'module' });
  const MODEL = 'public/models/fashion-mnist-compconv.safetensors';
  const imageUrl = (n) => '/public/images/fashion-mnist/test-000' + n + '.png';
  const blobOf = async (n) => (await fetch(imageUrl(n))).blob();
  const values = (seed, n = 1) => Float32Array.from({ length: 784 * n }, (_, i) => Math.sin(i * 0.37 + seed));
  const { worker, engine, session, own, progress } = window;
  const tensorOf = (seed, n = 1) => ({ shape: [n, 1, 28, 28], data: values(seed, n) });
  const outcome = (promise) => promise.then((value) => ({ value }), ({ name, code, message }) => ({ name, code, message }));
  const sameBits = (a, b) => {
    const [x, y] = [new Uint32Array(a.slice().buffer), new Uint32Array(b.slice().buffer)];
    return x.length > 0 && x.length === y.length && x.every((value, i) => value === y[i]);
  };
`;

let browser: TestBrowser;
let server: TestPage;
let page: Page;
const problems: string[] = [];

beforeAll(async () => {
  [browser, server] = await Promise.all([launchBrowser(), startPage()]);
  page = await browser.browser.newPage();
  page.on('pageerror', (error) => problems.push(String(error)));
  await page.route(`${server.url}blank`, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }));
  for (const [name, body] of Object.entries(SCRIPTS)) {
    await page.route(`${server.url}${name}`, (route) => route.fulfill({ contentType: 'text/javascript', body }));
  }
  await page.route(/\/nowhere\.\w+$/, (route) => route.fulfill({ status: 404 }));
  await page.goto(`${server.url}blank`);
  // For all tests, since a software adapter compiles for seconds on each device: a session in a worker and the page's own.
  await inPage(`
    const worker = workerOf('serving.js');
    Object.assign(window, { worker, progress: [], engine: connect(worker) });
    const [remote, local] = await Promise.all([window.engine.loadModel(MODEL, { onProgress: (each) => window.progress.push(each) }), loadModel(MODEL)]);
    Object.assign(window, { session: remote, own: local });`);
});
afterAll(async () => {
  await browser.close();
  await server.close();
});

/** @param code of an async function; its last word is `return` */
async function inPage(code: string): Promise<any> {
  problems.length = 0;
  return page.evaluate(`(async () => {${IN_PAGE}{${code}}})()`);
}

describe('a model', () => {
  test('is loaded with progress that only grows, by an address as the page understands it', async () => {
    const found = await inPage(`
      const { backend, dtype, dtypeFallback, tuned, memory, labels, graph, cost } = session;
      const before = { memory, own: own.memory, labels, backend, dtype, dtypeFallback, tuned, ownTuned: own.tuned };
      const same = [graph.name === own.graph.name, JSON.stringify(cost) === JSON.stringify(own.cost), session.adapter.name === own.adapter.name];
      return { progress, before, same };`);
    for (const phase of ['download', 'compile']) {
      const steps = found.progress.filter((each: { phase: string }) => each.phase === phase);
      const done = steps.map((each: { done: number }) => each.done);
      expect(done).toEqual([...done].sort((a, b) => a - b));
      expect(done.at(-1)).toBe(steps.at(-1).total);
    }
    expect(found.progress.at(-1).phase).toBe('compile');
    expect(found.before).toMatchObject({ backend: 'webgpu', dtype: 'f32', memory: found.before.own, tuned: found.before.ownTuned });
    expect(found.before.memory.weightBytes).toBeGreaterThan(0);
    expect(found.before.labels).toHaveLength(10);
    expect(found.same).toEqual([true, true, true]);
  });

  test('comes from bytes, whose memory moves, a part of larger ones, a Blob, and the fetch of the worker', async () => {
    const found = await inPage(`
      const other = workerOf('own-fetch.js');
      const bytes = new Uint8Array(await (await fetch(MODEL)).arrayBuffer());
      const blob = new Blob([bytes]);
      const part = new Uint8Array(bytes.length + 16).subarray(8, 8 + bytes.length);
      part.set(bytes);
      const buffer = bytes.slice().buffer;
      const sessions = [];
      for (const source of [bytes, buffer, part, blob, new URL(MODEL, location.href)]) sessions.push(await engine.loadModel(source));
      const fetched = await outcome(connect(other).loadModel(MODEL));
      const outputs = await Promise.all(sessions.map((session) => session.run(tensorOf(1))));
      for (const each of sessions) each.dispose();
      other.terminate();
      return { fetched, left: [bytes.length, buffer.byteLength, part.buffer.byteLength - 16, blob.size], length: blob.size,
        same: outputs.map(({ data }) => sameBits(data, outputs[0].data)) };`);
    expect(found.left).toEqual([0, 0, found.length, found.length]);
    expect(found.same).toEqual([true, true, true, true, true]);
    expect(found.fetched).toMatchObject({ code: 'io', message: expect.stringContaining('418') as string });
  });

  test('is refused as without a worker, with the code of the error', async () => {
    const found = await inPage(`
      const refused = [];
      for (const [source, options] of [
        ['nowhere.safetensors'], [new Uint8Array(4)], [{}], ['http://['], [MODEL, { integrity: '0'.repeat(64) }], [MODEL, { maxBytes: 9 }],
        [MODEL, { device: {} }], [MODEL, { fetch }], [MODEL, { tuning: {} }], [MODEL, { cache: {} }], [MODEL, { depths: { conv1: () => 1 } }],
      ]) refused.push(await outcome(engine.loadModel(source, options)));
      return { refused, ours: [await outcome(loadModel('nowhere.safetensors')), await outcome(loadModel(new Uint8Array(4)))] };`);
    const codes = found.refused.map(({ name, code }: { name: string; code: string }) => `${name} ${code}`);
    const wrong = 'CompConvError invalid-argument';
    expect(codes).toEqual(['CompConvError io', 'CompConvError invalid-file', wrong, wrong, 'CompConvError integrity', 'CompConvError limit-exceeded', wrong, wrong, wrong, wrong, wrong]);
    expect(found.refused[0].message.replace(server.url, '')).toBe(found.ours[0].message);
    expect(found.refused[1].message).toBe(found.ours[1].message);
    const messages = found.refused.slice(6).map(({ message }: { message: string }) => message);
    for (const [i, name] of ['device', 'fetch', 'tuning', 'cache'].entries()) expect(messages[i]).toContain(`\`${name}\` does not cross`);
    expect(messages[4]).toContain('loadModel: this does not cross to a worker');
  });
});

describe('an input', () => {
  test('gives, bit for bit, what the page’s own session gives', async () => {
    const found = await inPage(`
      const blob = await blobOf(1);
      const img = Object.assign(new Image(), { src: imageUrl(1) });
      await img.decode();
      const canvas = Object.assign(document.createElement('canvas'), { width: 28, height: 28 });
      const context = canvas.getContext('2d');
      context.drawImage(img, 0, 0);
      const offscreen = new OffscreenCanvas(40, 30);
      offscreen.getContext('2d').drawImage(img, 0, 0, 40, 30);
      const video = Object.assign(document.createElement('video'), { muted: true, srcObject: canvas.captureStream(30) });
      const drawing = setInterval(() => context.drawImage(img, 0, 0), 20);
      await video.play();
      const rgba = () => context.getImageData(0, 0, 28, 28);
      const inputs = {
        tensor: () => tensorOf(1), batch: () => tensorOf(2, 3), otherSize: () => ({ shape: [1, 1, 32, 30], data: new Float32Array(960).fill(0.3) }),
        blob: () => blob, bitmap: () => createImageBitmap(blob), imageData: rgba, raw: () => ({ width: 28, height: 28, data: new Uint8Array(rgba().data) }),
        img: () => img, canvas: () => canvas, offscreen: () => offscreen, video: () => video, frame: () => new VideoFrame(canvas, { timestamp: 0 }),
        images: async () => [blob, canvas, await createImageBitmap(blob)],
      };
      const unlike = [];
      for (const [name, make] of Object.entries(inputs)) {
        for (const options of name === 'canvas' ? [{}, { flip: true }] : [{}]) {
          const [theirs, ours] = [await session.run(await make(), options), await own.run(await make(), options)];
          if (!sameBits(theirs.data, ours.data) || String(theirs.shape) !== String(ours.shape)) unlike.push(name);
        }
      }
      clearInterval(drawing);
      const timed = [await session.runTimed(tensorOf(1)), await own.runTimed(tensorOf(1))];
      const names = own.graph.nodes.slice(2, 4).map(({ name }) => name);
      const [theirs, ours] = [await session.features(blob, names), await own.features(blob, names)];
      const features = names.map((name) => sameBits(theirs[name].data, ours[name].data));
      return { unlike, features, classes: [await session.classify(blob, { topK: 3 }), await own.classify(blob, { topK: 3 })],
        keys: timed.map((each) => Object.keys(each).sort()), sameTimed: sameBits(timed[0].output.data, timed[1].output.data), memory: [session.memory, own.memory] };`);
    expect(found.unlike).toEqual([]);
    expect(found.features).toEqual([true, true]);
    expect(found.classes[0]).toEqual(found.classes[1]);
    expect(found.classes[0]).toHaveLength(3);
    expect(found.keys[0]).toEqual(found.keys[1]);
    expect(found.sameTimed).toBe(true);
    expect(found.memory[0]).toEqual(found.memory[1]);
    expect(problems).toEqual([]);
  });

  test('moves; of what is only a part of something, or stays on the page, a copy does', async () => {
    const found = await inPage(`
      const tensor = tensorOf(1);
      const whole = new Float32Array(800);
      const part = { shape: [1, 1, 28, 28], data: whole.subarray(8, 792) };
      const bitmap = await createImageBitmap(await blobOf(1));
      const frame = new VideoFrame(bitmap, { timestamp: 0 });
      const canvas = new OffscreenCanvas(28, 28);
      canvas.getContext('2d').drawImage(bitmap, 0, 0);
      const imageData = canvas.getContext('2d').getImageData(0, 0, 28, 28);
      await Promise.all([session.run(tensor), session.run(part), ...[bitmap, frame, canvas, imageData].map((image) => session.run(image))]);
      const again = await outcome(session.run(tensor));
      return { left: [tensor.data.length, whole.length, bitmap.width, frame.codedWidth, canvas.width, imageData.data.length], again };`);
    expect(found.left).toEqual([0, 800, 0, 0, 28, 0]);
    expect(found.again).toMatchObject({ code: 'invalid-argument', message: expect.stringContaining('needs 784 elements, got 0') as string });
  });

  test('is refused with the message that the page’s own session has', async () => {
    const found = await inPage(`
      const inputs = [{ shape: undefined, data: new Float32Array(784) }, { shape: null, data: new Float32Array(784) }, { shape: [1, 1, 28, 28], data: new Float32Array(7) }, { shape: [1, 1, 28, 28], data: [] }, { shape: [1, 2, 28, 28], data: new Float32Array(1568) }, [], 7, null, new Date(),
        new Image(), document.createElement('video'), Object.assign(document.createElement('canvas'), { width: 0 }), new Blob(['no image']), { width: 2, height: 2, data: new Uint8Array(3) }];
      const messages = [];
      // Ours first: theirs moves away.
      for (const input of inputs) messages.push([await outcome(own.run(input)), await outcome(session.run(input))]);
      const buffer = own.device.createBuffer({ size: 3136, usage: GPUBufferUsage.STORAGE });
      const texture = own.device.createTexture({ size: [28, 28], format: 'rgba8unorm', usage: GPUTextureUsage.TEXTURE_BINDING });
      const bound = [await outcome(session.run({ shape: [1, 1, 28, 28], buffer })), await outcome(session.classify(texture))];
      const kept = tensorOf(1, 2);
      const several = [await outcome(session.classify(kept)), kept.data.length];
      buffer.destroy();
      texture.destroy();
      return { messages, bound, several };`);
    for (const [ours, theirs] of found.messages) {
      expect(theirs.code).toBe('invalid-argument');
      expect(theirs).toEqual(ours);
    }
    expect(found.several).toEqual([expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining('takes one image, got 2') as string }), 1568]);
    for (const { code, message } of found.bound) expect([code, message]).toEqual(['invalid-argument', expect.stringContaining('belongs to a device of this thread')]);
  });
});

test('a model runs without WebGPU in the worker, which says why', async () => {
  const found = await inPage(`
    const [fallback, chosen] = await Promise.all([engine.loadModel(MODEL, { fallback: 'wasm' }), engine.loadModel(MODEL, { backend: 'wasm' })]);
    const expected = (await own.run(tensorOf(1, 2))).data;
    const far = [];
    for (const each of [fallback, chosen]) far.push(Math.max(...(await each.run(tensorOf(1, 2))).data.map((value, i) => Math.abs(value - expected[i]))));
    const [best] = await fallback.classify(await blobOf(0), { topK: 1 });
    const [ownBest] = await own.classify(await blobOf(0), { topK: 1 });
    const served = await connect(workerOf('own-backend.js')).loadModel(MODEL, { backend: undefined });
    const refused = await outcome(fallback.features(tensorOf(1), ['layer1']));
    const about = [fallback, chosen, served].map(({ backend, reason, adapter }) => ({ backend, reason, adapter }));
    for (const each of [fallback, chosen]) each.dispose();
    return { far, best, ownBest, refused, about, ended: await outcome(fallback.run(tensorOf(1))) };`);
  for (const difference of found.far) expect(difference).toBeLessThan(1e-4);
  expect(found.best).toEqual({ ...found.ownBest, score: expect.closeTo(found.ownBest.score, 4) });
  expect(found.refused).toMatchObject({ code: 'invalid-argument', message: expect.stringContaining('runs without WebGPU') });
  expect(found.about).toEqual([
    { backend: 'wasm', reason: expect.stringMatching(/swiftshader.* computes on the processor/), adapter: undefined },
    { backend: 'wasm', reason: "`backend: 'wasm'` was asked for", adapter: undefined },
    { backend: 'wasm', reason: "`backend: 'wasm'` was asked for", adapter: undefined },
  ]);
  expect(found.ended.code).toBe('disposed');
});

describe('calls', () => {
  test('at the same time get each their own answer', async () => {
    const same = await inPage(`
      const theirs = await Promise.all([1, 2, 3, 4].map((seed) => session.run(tensorOf(seed))));
      const same = [];
      for (const [i, { data }] of theirs.entries()) same.push(sameBits(data, (await own.run(tensorOf(i + 1))).data));
      return [...same, !sameBits(theirs[0].data, theirs[1].data)];`);
    expect(same).toEqual([true, true, true, true, true]);
  });

  test('tell of what they do', async () => {
    const found = await inPage(`
      const told = [];
      const report = await session.selfTest({ onProgress: (each) => told.push(each) });
      const tuning = await outcome(session.tune({ signal: AbortSignal.timeout(1) }));
      return { report: Object.keys(report).sort(), told: told.length, tuning: tuning.code };`);
    const own = await inPage(`return Object.keys(await own.selfTest()).sort();`);
    expect(found).toEqual({ report: own, told: expect.any(Number) as number, tuning: 'aborted' });
    expect(found.told).toBeGreaterThan(0);
  });

  test('are aborted at once, and the session runs on', async () => {
    const found = await inPage(`
      const aborted = new AbortController();
      aborted.abort('no reason');
      const later = new AbortController();
      const loading = new AbortController();
      const outcomes = [
        outcome(session.run(tensorOf(1), { signal: aborted.signal })),
        outcome(session.run(tensorOf(1, 16), { signal: later.signal })),
        outcome(session.classify(await blobOf(1), { signal: later.signal })),
        outcome(engine.loadModel(MODEL, { signal: aborted.signal })),
        outcome(engine.loadModel(MODEL, { signal: later.signal })),
        outcome(engine.loadModel(MODEL, { signal: loading.signal, onProgress: () => loading.abort() })),
        outcome(engine.loadModel(MODEL, { onProgress: () => { throw new TypeError('a slip of the listener'); } })),
      ];
      later.abort();
      const same = sameBits((await session.run(tensorOf(1))).data, (await own.run(tensorOf(1))).data);
      return { outcomes: await Promise.all(outcomes), same };`);
    expect(found.outcomes.slice(0, -1).map(({ code }: { code: string }) => code)).toEqual(Array(6).fill('aborted'));
    expect(found.outcomes.at(-1)).toEqual({ name: 'TypeError', message: 'a slip of the listener' });
    expect(found.same).toBe(true);
    expect(problems).toEqual([]);
  });

  test('of a session that is disposed of reject, those that wait too', async () => {
    const found = await inPage(`
      const short = await engine.loadModel(MODEL);
      const running = [outcome(short.run(tensorOf(1, 16))), outcome(short.run(tensorOf(2)))];
      // Past the copying of their inputs.
      await new Promise((resolve) => setTimeout(resolve));
      short.dispose();
      short.dispose();
      const after = await outcome(short.run(tensorOf(1)));
      return { outcomes: [...await Promise.all(running), after], freed: short.memory, rest: (await session.run(tensorOf(1))).shape };`);
    expect(found.outcomes.map(({ code }: { code: string }) => code)).toEqual(['disposed', 'disposed', 'disposed']);
    expect(found.freed).toEqual({ weightBytes: 0, activationBytes: 0, pooledBytes: 0 });
    expect(found.rest).toEqual([1, 10]);
  });

  test('leave no session behind that the page does not know of', async () => {
    const found = await inPage(`
      // The protocol itself: a call is cancelled when its answer is on the way already.
      const { port1, port2 } = new MessageChannel();
      const replies = [];
      const next = (is) => new Promise((resolve) => (port1.onmessage = ({ data }) => (replies.push(data), is(data) && resolve(data))));
      worker.postMessage({ 'compconv-webgpu': port2, lifeline: 'a lock' }, [port2]);
      port1.postMessage({ call: 1, method: 'loadModel', source: new URL(MODEL, location.href).href, options: {} });
      const loaded = await next((reply) => 'result' in reply);
      port1.postMessage({ cancel: 1 });
      port1.postMessage({ call: 2, method: 'run', session: 1, args: [tensorOf(1), {}] });
      const refused = await next((reply) => reply.call === 2);
      port1.postMessage({ call: 3, method: 'fly', session: 1, args: [] });
      port1.postMessage({ end: true });
      await navigator.locks.request('a lock', () => {});
      return { ready: replies.find((reply) => 'ready' in reply), loaded: loaded.state.backend, refused: refused.error };`);
    expect(found).toMatchObject({ ready: { ready: true, hasLifeline: true }, loaded: 'webgpu', refused: { code: 'disposed' } });
  });

  test('leave the app’s own messages alone', async () => {
    const echoed = await inPage(`
      const echo = new Promise((resolve) => (worker.onmessage = ({ data }) => resolve(data)));
      const second = connect(worker);
      worker.postMessage('of the app');
      const heard = await echo;
      second.dispose();
      return [heard, await outcome(second.loadModel(MODEL))];`);
    expect(echoed).toEqual(['of the app', expect.objectContaining({ code: 'disposed' })]);
  });
});

describe('a worker', () => {
  test('that does not serve is an error, not a wait', async () => {
    const found = await inPage(`
      const of = (script, options) => outcome(connect(workerOf(script), options).loadModel(MODEL));
      return Promise.all([of('throwing.js'), of('nowhere.js'), of('silent.js', { timeoutMs: 300 })]);`);
    const [throwing, nowhere, silent] = found;
    for (const { name, code } of found) expect([name, code]).toEqual(['CompConvError', 'io']);
    expect(throwing.message).toContain('a slip of the app');
    expect(nowhere.message).toContain('its script does not load');
    expect(silent.message).toContain('has not answered for 300 ms');
  });

  test('serves on after an error of the app’s in it, until it is terminated', async () => {
    const found = await inPage(`
      const other = workerOf('late-slip.js');
      const engine = connect(other);
      // Bytes, which are answered at once, maybe before the worker has its lock.
      const first = await outcome(engine.loadModel(new Uint8Array(8)));
      other.postMessage('slip');
      await new Promise((resolve) => other.addEventListener('error', (event) => (event.preventDefault(), resolve())));
      const second = await outcome(engine.loadModel(new Uint8Array(8)));
      const waiting = outcome(engine.loadModel(MODEL));
      other.terminate();
      return { first, second, gone: [await waiting, await outcome(engine.loadModel(MODEL))] };`);
    expect(found.first).toMatchObject({ code: 'invalid-file' });
    expect(found.second).toEqual(found.first);
    for (const { code, message } of found.gone) expect([code, message]).toEqual(['io', 'the worker is gone: it was terminated, or crashed']);
  });

  test('whose device is lost tells so, and runs on another', async () => {
    const found = await inPage(`
      const other = workerOf('losing.js');
      const engine = connect(other);
      const lost = [];
      const session = await engine.loadModel(MODEL, { onDeviceLost: ({ code }) => lost.push(code) });
      const before = await session.run(tensorOf(1));
      other.postMessage('lose');
      await new Promise((resolve) => other.addEventListener('message', resolve, { once: true }));
      const first = await outcome(session.run(tensorOf(1)));
      const after = first.value ?? await session.run(tensorOf(1));
      other.terminate();
      return { lost, same: sameBits(before.data, after.data) };`);
    expect(found).toEqual({ lost: ['device-lost'], same: true });
  });
});

/**
 * Other engines in a module worker of Chromium: each agrees with the CPU reference in every setting, or says why it cannot run.
 * On a software adapter nearly all the time goes into compiling their kernels, so few networks have to do.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededInput } from '../../bench/entrant.ts';
import { shapeOf } from '../../src/graph/graph.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import { launchBrowser, startPage, type TestBrowser, type TestPage } from '../support/browser.ts';
import { expectClose } from '../support/compare.ts';
import { createPeerModel } from './peers-models.ts';
import type { PeerOutcome, PeerRun, PeerTask } from './peers-worker.ts';

/** Relative, what the benchmark asks of a peer. */
const TOLERANCE = { relativeL2: 1e-4 };
/** The network's own input is that of seed 1; with another one between, results that are kept and not computed again would show. */
const SEEDS = [2, 1, 2];

let browser: TestBrowser;
let server: TestPage;

beforeAll(async () => {
  server = await startPage();
  browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
  await server?.close();
});

// The layout that is best for it, each; compiling takes a software adapter so long that the other two would take two minutes.
test.each([
  ['NHWC', 'plain'],
  ['NCHW', 'compConv'],
] as const)('onnxruntime-web on WebGPU, %s: commands captured, tensors on the GPU', async (layout, model) => {
  const task = { name: 'ort-web', models: [model, 'otherOps'], settings: [layout], seeds: SEEDS } as const;
  const { title, runs, downloadBytes } = await perform(task);
  expect(title).toMatch(/^onnxruntime-web [\d.]+, WebGPU \((JSPI|asyncify)\)$/);
  expect(downloadBytes).toBeGreaterThan(10e6);
  expect(runs.map(({ setting }) => setting)).toEqual(Array(2).fill(`${layout}, graph capture, input and output on the GPU`));
  expect(runs.flatMap(({ notes }) => notes)).toEqual([]);
  expect(new Set(runs.map(({ adapter }) => adapter))).toEqual(new Set([browser.describe]));
  expectRight(runs);
});

test('onnxruntime-web in WebAssembly: as many threads as there are', async () => {
  const { title, runs } = await perform({ name: 'ort-wasm', models: ['plain', 'compConv', 'otherOps'], seeds: SEEDS });
  expect(title).toMatch(/^onnxruntime-web [\d.]+, WASM$/);
  const threads = await inPage<number>('navigator.hardwareConcurrency');
  expect(runs.map(({ setting }) => setting)).toEqual(Array(3).fill(threads === 1 ? '1 thread' : `${threads} threads`));
  expectRight(runs);
});

test('TensorFlow.js on WebGPU: every op', async () => {
  const { title, runs } = await perform({ name: 'tfjs', models: ['plain', 'compConv', 'otherOps'], seeds: SEEDS });
  expect(title).toMatch(/^TensorFlow\.js [\d.]+, WebGPU$/);
  expect(new Set(runs.map(({ adapter }) => adapter))).toEqual(new Set([browser.describe]));
  expectRight(runs);
});

test.each(['ort-web', 'tfjs'] as const)('%s without WebGPU, without an adapter, with a setting that it does not have', async (name) => {
  const task = { name, models: ['plain'], seeds: [] } as const;
  const gpu = (code: string) => `Object.defineProperty(navigator, 'gpu', { value: ${code} })`;
  const unavailable = (message: string) => ({ code: 'webgpu-unavailable', message: expect.stringContaining(message) as string });
  await expect(perform({ ...task, before: gpu('undefined') })).rejects.toMatchObject(unavailable('has no WebGPU'));
  await expect(perform({ ...task, before: gpu('{ requestAdapter: async () => null }') })).rejects.toMatchObject(unavailable('no adapter'));
  const unknown = { code: 'invalid-argument', message: expect.stringContaining('unknown setting "CHWN"; known are NHWC') as string };
  await expect(perform({ ...task, settings: ['CHWN'] })).rejects.toMatchObject(unknown);
});

test('a library that does not arrive', async () => {
  const before = 'self.fetch = async (url) => new Response(null, { status: 404, statusText: "Not Found" })';
  const failure = { code: 'io', message: expect.stringMatching(/^onnxruntime-web, WASM could not be loaded: .*\.wasm: the server answered 404/) as string };
  await expect(perform({ name: 'ort-wasm', before, models: [], seeds: [] })).rejects.toMatchObject(failure);
});

/** Compares with the reference, which computes every model and input once. */
function expectRight(runs: readonly PeerRun[]): void {
  for (const { model, setting, outputs } of runs) {
    expect(outputs).toHaveLength(SEEDS.length);
    outputs.forEach(({ shape, data }, index) => {
      const expected = reference(model, SEEDS[index]);
      expect(shape).toEqual(expected.shape);
      expectClose(data, expected.data, TOLERANCE, `${model}, ${setting}, input ${SEEDS[index]}`);
    });
  }
}

const references = new Map<string, ReturnType<typeof toTensor>>();

function reference(model: PeerRun['model'], seed: number) {
  const key = `${model} ${seed}`;
  if (!references.has(key)) {
    const { graph, weights } = createPeerModel(model);
    const input = seededInput(shapeOf(graph, graph.input), seed);
    references.set(key, toTensor(runReference(graph, weights, input).get(graph.output)!));
  }
  return references.get(key)!;
}

/** Runs a task in a new worker; rejects with what the worker says. */
async function perform(task: PeerTask): Promise<PeerOutcome> {
  const outcome = await inPage<PeerOutcome | { failure: object }>(`new Promise((resolve) => {
    const worker = new Worker('/test/bench/peers-worker.ts', { type: 'module' });
    worker.onmessage = ({ data }) => (worker.terminate(), resolve(data));
    worker.onerror = ({ message }) => resolve({ failure: { message } });
    worker.postMessage(${JSON.stringify(task)});
  })`);
  if ('failure' in outcome) throw outcome.failure;
  return outcome;
}

/** Evaluates an expression in a page of the server's with nothing on it, isolated as the server's pages are. */
async function inPage<T>(expression: string): Promise<T> {
  const page = await browser.browser.newPage();
  try {
    const blank = `${server.url}blank-page-of-the-test`;
    const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
    await page.route(blank, (route) => route.fulfill({ contentType: 'text/html', headers, body: '<!doctype html>' }));
    await page.goto(blank);
    return (await page.evaluate(expression)) as T;
  } finally {
    await page.close();
  }
}

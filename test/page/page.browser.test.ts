/**
 * The page as a visitor meets it, in a real browser: what it says is read off the page and compared with the CPU
 * reference and the cost formulas; what it cannot do it must say.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import sharp from 'sharp';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { networkCost } from '../../src/graph/cost.ts';
import { readModel, type NetworkModel } from '../../src/models/read-model.ts';
import { describeFinding } from '../../src/page/finding.ts';
import { formatBytes } from '../../src/page/format.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import { writeSafetensors } from '../../src/weights/write-safetensors.ts';
import { launchBrowser, startPage, type TestBrowser, type TestPage } from '../support/browser.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NETWORKS = ['plain', 'compconv'] as const;
const weightsPath = (network: string) => join(ROOT, `public/models/fashion-mnist-${network}.safetensors`);
const imagePath = (file: string) => join(ROOT, 'public/images/fashion-mnist', file);

interface SampleList {
  readonly testSet: { readonly images: number; readonly correctInPyTorch: Record<string, number> };
  readonly samples: readonly { readonly file: string; readonly label: string; readonly index: number }[];
}

let chromium: TestBrowser | undefined;
let site: TestPage | undefined;
let list: SampleList;
let models: Record<(typeof NETWORKS)[number], NetworkModel>;
const contexts: BrowserContext[] = [];

beforeAll(async () => {
  [chromium, site] = await Promise.all([launchBrowser(), startPage()]);
  list = JSON.parse(await readFile(imagePath('samples.json'), 'utf8'));
  const [plain, compconv] = await Promise.all(
    NETWORKS.map(async (name) => readModel(await readFile(weightsPath(name)))),
  );
  models = { plain, compconv };
});

afterAll(async () => {
  await site?.close();
  await chromium?.close();
});

interface OpenPage {
  readonly page: Page;
  /** What the browser complained about: errors on the console, broken policies, uncaught exceptions. */
  readonly errors: string[];
}

/** Opens the page; `before` runs in the browser before its scripts. */
async function open({
  url = site!.url,
  before = '',
  ...options
}: { url?: string; before?: string } & BrowserContextOptions = {}) {
  const context = await chromium!.browser.newContext(options);
  contexts.push(context);
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  if (before) await page.addInitScript(before);
  await page.goto(url);
  return { page, errors } satisfies OpenPage;
}

afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close();
});

/** Keeps the page's devices, so that a test can take them away. */
const KEEP_DEVICES = `
  const request = GPUAdapter.prototype.requestDevice;
  const devices = (globalThis.devices = []);
  GPUAdapter.prototype.requestDevice = async function (...args) {
    const device = await request.apply(this, args);
    devices.push(device);
    return device;
  };`;

const waitForState = (page: Page, state: string) =>
  page.locator(`html[data-state="${state}"]`).waitFor({ state: 'attached', timeout: 60_000 });

/** Drops or pastes a file, as from a file manager or a clipboard. */
async function give(page: Page, how: 'drop' | 'paste', name: string, type: string, bytes: Uint8Array): Promise<void> {
  await page.evaluate(
    ({ how, name, type, base64 }) => {
      const transfer = new DataTransfer();
      transfer.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type }));
      const options = { bubbles: true, cancelable: true };
      const event =
        how === 'drop'
          ? new DragEvent('drop', { ...options, dataTransfer: transfer })
          : new ClipboardEvent('paste', { ...options, clipboardData: transfer });
      document.querySelector('main')!.dispatchEvent(event);
    },
    { how, name, type, base64: Buffer.from(bytes).toString('base64') },
  );
}

/** What the CPU reference answers, from the picture's own pixels. */
async function expectedLabel(model: NetworkModel, file: string): Promise<string> {
  const { data, info } = await sharp(imagePath(file)).toColourspace('b-w').raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([28, 28, 1]);
  const [mean, std] = [model.preprocess.mean[0], model.preprocess.std[0]];
  const input = tensor(
    [1, 1, 28, 28],
    Float32Array.from(data, (pixel) => (pixel / 255 - mean) / std),
  );
  const logits = [...toTensor(runReference(model.graph, model.weights, input).get(model.graph.output)!).data];
  return model.labels![logits.indexOf(Math.max(...logits))];
}

/** The overflow to the right in CSS pixels, of the page and not of what scrolls inside it. */
const overflow = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

const measure = (page: Page, network: string, key: string) =>
  page
    .locator(`td[data-network="${network}"][data-measure="${key}"]`)
    .evaluate((cell) => ({ value: Number((cell as HTMLElement).dataset['value']), text: cell.textContent ?? '' }));

// One visit, in this order: a load takes seconds on a software adapter.
describe('a visit', () => {
  let page: Page;
  let errors: string[];
  let context: BrowserContext | undefined;

  beforeAll(async () => {
    ({ page, errors } = await open({ before: KEEP_DEVICES }));
    context = contexts.pop(); // Outlives a test.
    await waitForState(page, 'ready');
  });

  afterAll(() => context?.close());

  it('classifies the bundled images on load as the CPU reference does, and shows what that costs', async () => {
    const answers = await page.locator('#sample-list [data-predicted]').evaluateAll((found) =>
      found.map((answer) => {
        const card = answer.closest<HTMLElement>('[data-image]')!;
        const { network, predicted, correct, score } = (answer as HTMLElement).dataset;
        const text = answer.textContent ?? '';
        return {
          image: Number(card.dataset['image']),
          truth: card.dataset['truth'],
          network,
          predicted,
          correct,
          score: Number(score),
          text,
        };
      }),
    );
    expect(answers.length).toBe(list.samples.length * NETWORKS.length);

    for (const network of NETWORKS) {
      const own = answers.filter((answer) => answer.network === network);
      const expected = await Promise.all(
        list.samples.map(async ({ file, label, index }) => ({
          image: index,
          truth: label,
          predicted: await expectedLabel(models[network], file),
        })),
      );
      expect(own.map(({ image, truth, predicted }) => ({ image, truth, predicted }))).toEqual(expected);
      for (const { truth, predicted, correct, score, text } of own) {
        expect(correct).toBe(String(predicted === truth));
        expect(text).toContain(predicted === truth ? '✓right' : '✗wrong');
        expect(text).toContain(predicted);
        expect(score).toBeGreaterThan(0.1);
        expect(score).toBeLessThanOrEqual(1);
      }
      const right = expected.filter(({ truth, predicted }) => truth === predicted).length;
      expect(await measure(page, network, 'correct')).toEqual({
        value: right,
        text: `${right} of ${list.samples.length}`,
      });
      const { total } = networkCost(models[network].graph);
      expect((await measure(page, network, 'macs')).value).toBe(total.macs);
      expect((await measure(page, network, 'flops')).value).toBe(total.flops);
      expect((await measure(page, network, 'params')).value).toBe(total.params);
      expect((await measure(page, network, 'file-bytes')).value).toBe((await readFile(weightsPath(network))).length);
      expect((await measure(page, network, 'dispatches')).value).toBeGreaterThan(10);
      expect((await measure(page, network, 'pipelines')).value).toBeGreaterThan(3);
      expect((await measure(page, network, 'latency')).value).toBeGreaterThan(0);
    }

    const measured = await Promise.all(
      NETWORKS.map(async (network) => ({
        macs: networkCost(models[network].graph).total.macs,
        latencyMs: (await measure(page, network, 'latency')).value,
        dispatches: (await measure(page, network, 'dispatches')).value,
        correct: (await measure(page, network, 'correct')).value,
        testSetCorrect: list.testSet.correctInPyTorch[`fashion-mnist-${network}.safetensors`],
      })),
    );
    const { headline, detail } = describeFinding(measured[0], measured[1], list.samples.length, list.testSet.images);
    expect(await page.locator('#finding').textContent()).toBe(headline);
    expect(await page.locator('#finding-detail').textContent()).toBe(detail);
    expect(await page.locator('#software-warning').isVisible()).toBe(chromium!.isSoftware);
    console.log(`${headline}\n${detail}`);

    await page.locator('#layers summary').click();
    const cells = await page.locator('#layer-table tfoot td').allTextContents();
    const totals = NETWORKS.map((network) => networkCost(models[network].graph).total.macs.toLocaleString('en'));
    expect(cells.slice(2, 4)).toEqual(totals);
    expect(errors).toEqual([]);
  });

  it('takes pictures and networks, says what it cannot take, and goes on', async () => {
    const message = page.locator('[data-message]');
    const [first] = list.samples;
    await give(page, 'drop', 'mine.png', 'image/png', await readFile(imagePath(first.file)));
    const answers = page.locator('[data-own-image="mine.png"] [data-predicted]');
    await answers.nth(1).waitFor();
    for (const [i, network] of NETWORKS.entries()) {
      expect(await answers.nth(i).getAttribute('data-network')).toBe(network);
      expect(await answers.nth(i).getAttribute('data-predicted')).toBe(
        await expectedLabel(models[network], first.file),
      );
      const scores = await answers
        .nth(i)
        .locator('li')
        .evaluateAll((bars) => bars.map((bar) => Number((bar as HTMLElement).dataset['score'])));
      expect(scores.length).toBe(5);
      expect(scores).toEqual([...scores].sort((a, b) => b - a));
    }

    await give(page, 'paste', 'pasted.png', 'image/png', await readFile(imagePath(first.file)));
    await page.locator('[data-own-image="pasted.png"] [data-predicted]').nth(1).waitFor();

    await give(page, 'drop', 'notes.txt', 'text/plain', Buffer.from('hello'));
    await message.filter({ hasText: 'notes.txt is neither a picture nor a network' }).waitFor();
    await give(page, 'drop', 'broken.png', 'image/png', Buffer.from('no picture'));
    await message.filter({ hasText: 'broken.png could not be classified' }).waitFor();
    await give(page, 'drop', 'broken.safetensors', '', Buffer.from('no weights at all'));
    await message.filter({ hasText: 'broken.safetensors could not be loaded' }).waitFor();

    const tensors = parseSafetensors(await readFile(weightsPath('plain')));
    const metadata = parseSafetensors(await readFile(weightsPath('compconv'))).metadata;
    const swapped = writeSafetensors(
      [...tensors.shapes.keys()].map((name) => [name, tensors.get(name)]),
      Object.fromEntries(metadata),
    );
    await give(page, 'drop', 'swapped.safetensors', '', swapped);
    const refusal = message.filter({ hasText: 'swapped.safetensors could not be loaded' });
    await refusal.waitFor();
    const tensorList = refusal.locator('pre');
    expect(await tensorList.isVisible()).toBe(false);
    await refusal.getByText('Show all').click();
    expect(await tensorList.isVisible()).toBe(true);
    expect(await tensorList.textContent()).toContain('layer1.0.conv1.primitive.weight');
    expect(await page.locator('html').getAttribute('data-state')).toBe('ready');

    await page.setInputFiles('#file-input', weightsPath('plain'));
    await message.filter({ hasText: 'fashion-mnist-plain.safetensors is loaded' }).waitFor();
    for (const key of ['macs', 'correct']) {
      expect(await measure(page, 'own', key)).toEqual(await measure(page, 'plain', key));
    }
    expect(await answers.nth(2).getAttribute('data-predicted')).toBe(
      await answers.nth(0).getAttribute('data-predicted'),
    );
    expect(errors).toEqual([]);
  });

  it('loads the larger networks that come with it', { timeout: 240_000 }, async () => {
    const buttons = page.locator('#trained button');
    const message = page.locator('[data-message]');
    const reference = JSON.parse(await readFile(join(ROOT, 'test/data/reference.json'), 'utf8')) as Record<string, { answers: string }>;
    expect(await buttons.count()).toBeGreaterThan(0);
    for (const button of await buttons.all()) {
      const path = (await button.getAttribute('value'))!;
      const file = await readFile(join(ROOT, 'public', path));
      expect(await button.textContent()).toMatch(new RegExp(`, ${formatBytes(file.length).replace('\u00a0', ' ')}$`));
      await button.click();
      const name = basename(path);
      await message.filter({ hasText: `${name} is loaded` }).waitFor({ timeout: 120_000 });
      const model = await readModel(file);
      expect((await measure(page, 'own', 'macs')).value).toBe(networkCost(model.graph).total.macs);
      expect((await measure(page, 'own', 'test-set')).value).toBe(list.testSet.correctInPyTorch[name]);
      const { answers } = reference[name];
      const right = list.samples.filter(({ index, label }) => model.labels![Number(answers[index])] === label);
      expect((await measure(page, 'own', 'correct')).value).toBe(right.length);
    }
    expect(errors).toEqual([]);
  });

  it('goes on when the GPU was lost', async () => {
    await page.evaluate('Promise.all(devices.map((device) => (device.destroy(), device.lost)))');
    await give(page, 'paste', 'after-the-loss.png', 'image/png', await readFile(imagePath(list.samples[0].file)));
    await page.locator('[data-own-image="after-the-loss.png"] [data-predicted]').nth(1).waitFor();
    expect(await page.locator('html').getAttribute('data-state')).toBe('ready');
  });
});

describe('the page', () => {
  it.each([
    [
      'a browser without WebGPU',
      `Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined })`,
      'This browser has no WebGPU',
      'Chrome',
    ],
    [
      'no adapter',
      `GPU.prototype.requestAdapter = async () => null`,
      'offers no graphics adapter',
      'hardware acceleration',
    ],
    [
      'an address without https',
      `Object.defineProperty(window, 'isSecureContext', { value: false })`,
      'switched off on this address',
      'https',
    ],
  ])('says what to do: %s', async (_what, before, title, advice) => {
    const { page, errors } = await open({ before });
    await waitForState(page, 'failed');
    const failure = page.locator('#failure');
    expect(await failure.getByRole('heading').textContent()).toContain(title);
    expect(await failure.textContent()).toContain(advice);
    // What needs no GPU is there.
    await page.locator('td[data-network="compconv"][data-measure="macs"]').waitFor();
    await give(page, 'drop', 'notes.png', 'image/png', Buffer.from(''));
    await page.locator('[data-message="error"]').waitFor();
    expect(errors).toEqual([]);
  });

  it('fits a window of 360 pixels, built and served from a folder', async () => {
    const outDir = await mkdtemp(join(tmpdir(), 'compconv-page-'));
    const server = createServer();
    try {
      await build({
        root: ROOT,
        configFile: join(ROOT, 'vite.config.ts'),
        logLevel: 'error',
        build: { outDir },
      });
      const address = await serveFolder(server, outDir, '/some/folder/');
      const { page, errors } = await open({ url: address, viewport: { width: 360, height: 740 } });
      // A picture that comes while the page is still loading waits.
      await page.setInputFiles('#file-input', imagePath(list.samples[0].file));
      await waitForState(page, 'ready');
      await page.locator('[data-own-image] [data-predicted]').nth(1).waitFor();
      await page.locator('#layers summary').click();
      expect(await overflow(page)).toBe(0);
      expect(errors).toEqual([]);
    } finally {
      server.close();
      await rm(outDir, { recursive: true, force: true });
    }
  });
});

/** Serves files below a path, and nothing else, as any static server does. */
async function serveFolder(server: Server, folder: string, path: string): Promise<string> {
  const types: Record<string, string> = {
    '.html': 'text/html',
    '.js': 'text/javascript',
    '.css': 'text/css',
    '.svg': 'image/svg+xml',
    '.png': 'image/png',
    '.json': 'application/json',
  };
  server.on('request', async (request, response) => {
    const { pathname } = new URL(request.url!, 'http://localhost');
    const name = pathname === path ? 'index.html' : pathname.slice(path.length);
    try {
      if (!pathname.startsWith(path)) throw new Error('outside');
      const body = await readFile(join(folder, normalize(name)));
      response.writeHead(200, {
        'content-type': types[extname(name)] ?? 'application/octet-stream',
        'content-length': body.length,
      });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://localhost:${(server.address() as AddressInfo).port}${path}`;
}

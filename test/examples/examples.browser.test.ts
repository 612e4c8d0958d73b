/** The examples, each built from the packed package and driven in Chromium under a strict policy, as its reader would. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, type TestBrowser } from '../support/browser.ts';
import { cameraFlags } from '../support/camera.ts';
import { runNode } from '../support/run-node.ts';
import { installExample, removeExample, serveExample, watchPage } from '../support/example.ts';

const IMAGES = fileURLToPath(new URL('../../public/images/fashion-mnist/', import.meta.url));
const folders: string[] = [];
let browser: TestBrowser;
let camera: string;

beforeAll(async () => {
  camera = await mkdtemp(join(tmpdir(), 'compconv-camera-'));
  browser = await launchBrowser({ args: await cameraFlags(join(IMAGES, 'test-0002.png'), camera) });
});
afterAll(async () => {
  await browser.close();
  await Promise.all([rm(camera, { recursive: true }), ...folders.map(removeExample)]);
});

async function install(name: string): Promise<string> {
  const folder = await installExample(name);
  folders.push(folder);
  return folder;
}

const statusOf = (page: Page, text: string | RegExp) => page.getByRole('status').filter({ hasText: text }).waitFor();

/** Never back, over both phases. */
function expectGrowing(progress: readonly number[]): void {
  expect(progress.length).toBeGreaterThan(2);
  expect(progress).toEqual([...progress].sort((a, b) => a - b));
  expect(progress.at(-1)).toBeGreaterThan(0.5);
}

test('plain-html: without a bundler, by an import map', async () => {
  const server = await serveExample(await install('plain-html'), "frame-ancestors 'none'");
  const { page, problems, progress } = await watchPage(browser.browser);
  await page.goto(server.url);
  await statusOf(page, /^CompConv16-ResNetSmall14 on /);
  expect(await page.getByRole('listitem').allTextContents()).toEqual([expect.stringMatching(/^Ankle boot \d+\.\d %$/), expect.any(String), expect.any(String)]);
  expectGrowing(progress);
  // Its policy is its own.
  const policy = await page.locator('meta[http-equiv="Content-Security-Policy"]').getAttribute('content');
  expect(policy).toMatch(/^default-src 'self'; script-src 'self' 'sha256-[\w+/]+=*'$/);
  expect(await page.evaluate('crossOriginIsolated')).toBe(false);
  expect(problems).toEqual([]);
  await server.close();
});

test('vite-worker: progress, cancel, and a cache', async () => {
  const server = await serveExample(join(await install('vite-worker'), 'dist'));
  const { page, problems, progress } = await watchPage(browser.browser);
  await page.goto(server.url);
  const held = server.hold('.safetensors');
  await page.getByRole('button', { name: 'Load' }).click();
  await statusOf(page, 'Loading');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await statusOf(page, 'Cancelled');
  held.release();

  const load = async () => {
    progress.length = 0;
    await page.getByRole('button', { name: 'Load' }).click();
    await statusOf(page, /^CompConv16-ResNetSmall14 on .*, in a worker$/);
    expectGrowing(progress);
    await page.getByLabel('Image').setInputFiles(join(IMAGES, 'test-0002.png'));
    await page.getByText(/^Trouser \d+\.\d %$/).waitFor();
  };
  await load();
  // The engine is in the worker's script; what Vite wrote of it for the page is never loaded.
  const scripts = server.requests.filter((request) => request.endsWith('.js')).map((request) => request.replace(/-[\w-]{8}\.js$/, ''));
  expect(new Set(scripts)).toEqual(new Set(['index', 'worker', 'sha2', 'images'].map((name) => `GET /assets/${name}`)));
  await page.reload();
  server.requests.length = 0;
  await load();
  const models = server.requests.filter((request) => request.includes('.safetensors'));
  expect(models).toEqual(['HEAD /models/fashion-mnist-compconv.safetensors']);
  expect(problems).toEqual([]);
  await server.close();
});

test('react: a hook that outlives StrictMode, and disposes on unmount', async () => {
  const server = await serveExample(join(await install('react'), 'dist'));
  const { page, problems, progress } = await watchPage(browser.browser);
  const destroyed: string[] = [];
  page.on('console', (message) => message.text() === 'a device was destroyed' && destroyed.push(message.text()));
  await page.addInitScript(() => {
    const { destroy } = GPUDevice.prototype;
    GPUDevice.prototype.destroy = function () {
      console.log('a device was destroyed');
      return destroy.call(this);
    };
  });
  await page.goto(server.url);
  await statusOf(page, /^CompConv16-ResNetSmall14 on /);
  expectGrowing(progress);
  const drop = async (name: string) => {
    const bytes = [...(await readFile(join(IMAGES, name)))];
    const dataTransfer = await page.evaluateHandle(
      ({ bytes, name }) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], name, { type: 'image/png' }));
        return transfer;
      },
      { bytes, name },
    );
    await page.getByRole('region').dispatchEvent('drop', { dataTransfer });
  };
  await drop('test-0000.png');
  await page.getByText(/^test-0000\.png: Ankle boot \d/).waitFor();
  await drop('test-0002.png');
  await page.getByText(/^test-0002\.png: Trouser \d/).waitFor();

  await page.getByRole('button', { name: 'Unmount' }).click();
  await expect.poll(() => destroyed.length, { timeout: 10_000 }).toBeGreaterThan(0);
  // A second time, gone before it is loaded.
  await page.getByRole('button', { name: 'Mount', exact: true }).click();
  await page.getByRole('progressbar').waitFor();
  await page.getByRole('button', { name: 'Unmount' }).click();
  await page.getByRole('progressbar').waitFor({ state: 'detached' });
  expect(problems).toEqual([]);
  await server.close();
});

test('webcam: frames become labels, until it is stopped', async () => {
  const server = await serveExample(join(await install('webcam'), 'dist'));
  const { page, problems } = await watchPage(browser.browser);
  await page.goto(server.url);
  await page.getByRole('button', { name: 'Start' }).click();
  await statusOf(page, /^CompConv16-ResNetSmall14 on /);
  // What the camera shows, and the rate of more than one frame.
  await page.locator('#label', { hasText: 'Trouser' }).waitFor();
  const first = await page.locator('#rate').textContent();
  expect(first).toMatch(/^\d+\.\d frames per second$/);
  await expect.poll(() => page.locator('#rate').textContent(), { timeout: 20_000 }).not.toBe(first);
  await page.getByRole('button', { name: 'Stop' }).click();
  await statusOf(page, /^Stopped$/);
  expect(problems).toEqual([]);
  await server.close();
});

test('server-rendered: costs in the HTML, then a model in the browser', async () => {
  const folder = await install('server-rendered');
  const found = await runServer(folder, async (url) => {
    const response = await fetch(url);
    const { page, problems } = await watchPage(browser.browser);
    await page.goto(url);
    await statusOf(page, /^ ?Ankle boot \d/);
    return { html: await response.text(), policy: response.headers.get('content-security-policy'), problems };
  });
  expect(found.html).toMatch(/<td>ResNet50<\/td><td>4,089,184,256<\/td>.*<td>CompConv128-ResNet50<\/td><td>1,447,670,402<\/td>/);
  expect(found.html).toContain('No model yet');
  expect(found.policy).toBe("default-src 'self'");
  expect(found.problems).toEqual([]);
});

/** Does `work` while the example's own server runs. */
async function runServer<T>(folder: string, work: (url: string) => Promise<T>): Promise<T> {
  let working: Promise<T> | undefined;
  const { stderr } = await runNode(
    ['server.mjs'],
    (child) =>
      child.stdout!.once('data', (line: Buffer) => {
        working = work(line.toString().trim());
        void working.catch(() => {}).then(() => child.kill());
      }),
    { cwd: folder, env: { ...process.env, PORT: '0', NODE_ENV: 'production' } },
  );
  if (!working) throw new Error(`the server did not start:\n${stderr}`);
  return working;
}

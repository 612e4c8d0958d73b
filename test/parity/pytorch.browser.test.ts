/** Parity with PyTorch in a real Chromium: every module fixture and every network fixture, relative L2 error <= 1e-5. */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { type Page } from 'playwright-core';
import { launchBrowser, startPage } from '../support/browser.ts';
import { expectClose } from '../support/compare.ts';

const fixtures = new URL('../fixtures/', import.meta.url);
const filesOf = (folder: string, ending: string) =>
  readdirSync(new URL(folder, fixtures)).filter((name) => name.endsWith(ending)).map((name) => `${folder}${name}`);

let browser: Awaited<ReturnType<typeof launchBrowser>>;
let server: Awaited<ReturnType<typeof startPage>>;
let page: Page;

beforeAll(async () => {
  server = await startPage();
  browser = await launchBrowser();
  console.log(`browser adapter: ${browser.describe}`);
  page = await browser.browser.newPage();
  await page.goto(`${server.url}test/parity/parity.html`);
  await page.waitForFunction(() => 'compare' in window, undefined, { timeout: 60_000 });
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});

describe.each([
  ['modules/', '.safetensors'],
  ['networks/', '.json'],
])('%s', (folder, ending) => {
  it.each(filesOf(folder, ending))('%s', async (file) => {
    const { actual, expected } = await page.evaluate((path) => window.compare(path), file);
    expectClose(actual, expected, { relativeL2: 1e-5 });
  });
});

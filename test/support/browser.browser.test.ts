import { afterAll, beforeAll, expect, test } from 'vitest';
import { launchBrowser, startPage, type TestBrowser, type TestPage } from './browser.ts';
import { DOUBLE_WGSL, doubleOnGpu } from './double.ts';

let chromium: TestBrowser | undefined;
let site: TestPage | undefined;

beforeAll(async () => {
  chromium = await launchBrowser();
  site = await startPage();
});

afterAll(async () => {
  await site?.close();
  await chromium?.close();
});

test('the browser computes on an adapter, on a page that Vite serves', async () => {
  const { browser, executable, describe } = chromium!;
  console.log(`browser: ${executable} ${browser.version()}; adapter: ${describe}`);
  const page = await browser.newPage();
  await page.goto(`${site!.url}package.json`);
  expect(await page.evaluate('isSecureContext')).toBe(true);
  // The function travels as text, so it may use nothing but what it is given and the browser's own names.
  const result = await page.evaluate(`(${doubleOnGpu})(navigator.gpu, ${JSON.stringify(DOUBLE_WGSL)}, [1, 2.5, -3])`);
  expect(result).toEqual([2, 5, -6]);
  await page.close();
});

test('Vite compiles TypeScript modules for the page', async () => {
  const page = await chromium!.browser.newPage();
  await page.goto(`${site!.url}package.json`);
  const code = await page.evaluate(`import('/src/errors.ts').then((m) => new m.CompConvError('io', 'x').code)`);
  expect(code).toBe('io');
  await page.close();
});

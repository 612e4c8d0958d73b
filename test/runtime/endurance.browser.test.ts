/** What a page holds after sessions came and went, and ran for long. */
import { test } from 'vitest';
import { launchBrowser, startPage } from '../support/browser.ts';
import { expectNoGrowth } from '../support/expect-no-growth.ts';
import { rounds } from '../support/rounds.ts';

/** As text: the page imports the sources. */
const endureInPage = (loads: number, runs: number) => `(async () => {
  const { endure } = await import('/test/runtime/endurance.ts');
  const file = await (await fetch('/models/fashion-mnist-compconv.safetensors')).blob();
  return endure({ gpu: navigator.gpu, file, loads: ${loads}, runs: ${runs}, usedHeap });
})()`;

test('nothing grows', async () => {
  const server = await startPage();
  const { browser, close } = await launchBrowser();
  try {
    const page = await browser.newPage();
    const blank = `${server.url}blank-page-of-the-test`;
    await page.route(blank, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }));
    await page.goto(blank);
    const control = await page.context().newCDPSession(page);
    await page.exposeFunction('usedHeap', async () => {
      await control.send('HeapProfiler.collectGarbage');
      return (await control.send('Runtime.getHeapUsage')).usedSize;
    });
    expectNoGrowth(await page.evaluate(endureInPage(rounds(5, 100), rounds(100, 10_000))));
  } finally {
    await close();
    await server.close();
  }
});

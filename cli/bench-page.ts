/**
 * `compconv bench --browser`: the benchmark page, built beside this command, in a headless Chromium. The request goes in as
 * the page's address, the report comes out as the page's own.
 */

import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sirv from 'sirv';
import type { BenchProgress, BenchReport } from '../bench/harness.ts';
import { toSearchParams, type BenchRequest } from '../bench/request.ts';
import { CompConvError, type ErrorCode } from '../src/errors.ts';
import { launchBrowser } from './browser.ts';

/** Isolated from other origins: clocks have steps of 5 us instead of 100, and WebAssembly has threads. */
const ISOLATION = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

/** What the page leaves behind when it ends. */
type Outcome = { readonly report: BenchReport } | { readonly error: { readonly code?: ErrorCode; readonly message: string } };

export interface Watch {
  readonly signal: AbortSignal;
  readonly onProgress: (progress: BenchProgress) => void;
}

/** Runs the page to its end. @throws io where it is not built; aborted; whatever the page says */
export async function runInPage(request: BenchRequest, { signal, onProgress }: Watch): Promise<BenchReport> {
  const site = await servePage();
  try {
    const { browser, close } = await launchBrowser();
    // What waits for the page then fails at once.
    signal.addEventListener('abort', () => void close(), { once: true });
    try {
      const page = await browser.newPage();
      await page.exposeFunction('onBenchProgress', onProgress);
      await page.addInitScript(`addEventListener('benchprogress', (event) => void onBenchProgress(event.detail))`);
      const params = toSearchParams(request);
      params.set('autostart', '1');
      await page.goto(`${site.url}bench/index.html?${params}`);
      await page.locator('html[data-state="done"], html[data-state="failed"]').waitFor({ state: 'attached', timeout: 0 });
      const outcome = await page.evaluate<Outcome>(`window.benchReport ? { report: benchReport } : { error: window.benchError }`);
      if ('report' in outcome) return outcome.report;
      throw new CompConvError(outcome.error.code ?? 'internal', outcome.error.message);
    } finally {
      await close();
    }
  } finally {
    await site.close();
  }
}

/** Serves the built page to this machine alone. @throws io */
async function servePage(): Promise<{ url: string; close(): Promise<void> }> {
  const folder = fileURLToPath(new URL('./page/', import.meta.url));
  if (!existsSync(join(folder, 'bench/index.html'))) {
    throw new CompConvError('io', `${folder}: there is no benchmark page; in a clone of the repository "npm run build" makes it`);
  }
  const serve = sirv(folder, { setHeaders: (response) => Object.entries(ISOLATION).forEach(([name, value]) => response.setHeader(name, value)) });
  const server = createServer((request, response) => serve(request, response));
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    // By name: browsers take pages from localhost for secure, which WebGPU requires.
    url: `http://localhost:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

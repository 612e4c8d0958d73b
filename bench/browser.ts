/**
 * `npm run bench:browser`: the benchmark of `compconv bench`, with the same options, in a real headless Chromium. The
 * page imports the harness from Vite's development server; options go in and the report comes out as plain data.
 *
 * Not in the bundled command line, which carries neither a browser nor Vite.
 */

import { Command } from 'commander';
import { addBenchOptions, benchOptions, progressText, reportBench, type BenchFlags } from '../cli/commands/bench.ts';
import { prepareOut } from '../cli/bench-file.ts';
import { quiet, runProgram } from '../cli/program.ts';
import { ProgressLine } from '../cli/report.ts';
import { engineVersion } from '../cli/versions.ts';
import { CompConvError, type ErrorCode } from '../src/errors.ts';
import { launchBrowser, startPage, type TestBrowser } from '../test/support/browser.ts';
import type { BenchOptions, BenchProgress, BenchReport } from './harness.ts';

/** What the page gives back: an error does not keep its class on the way. */
type Outcome =
  { readonly report: BenchReport } | { readonly error: { readonly code?: ErrorCode; readonly message: string } };

/** Runs the benchmark; gives the exit status. */
export async function main(args: readonly string[]): Promise<number> {
  const program = quiet(new Command('bench:browser'));
  addBenchOptions(program, run);
  return runProgram(program, args);
}

async function run(flags: BenchFlags): Promise<void> {
  const options = await benchOptions(flags);
  if (flags.out !== undefined) await prepareOut(flags.out);
  const browser = await launchBrowser();
  try {
    const served = await startPage();
    const progress = new ProgressLine();
    try {
      const versions = { engine: engineVersion, chromium: browser.browser.version() };
      const outcome = await runInPage(browser, served.url, { ...options, versions }, (step) =>
        progress.update(progressText(step)),
      );
      progress.clear();
      if ('error' in outcome) throw new CompConvError(outcome.error.code ?? 'internal', outcome.error.message);
      await reportBench(outcome.report, flags);
    } finally {
      progress.clear();
      await served.close();
    }
  } finally {
    await browser.close();
  }
}

async function runInPage(
  { browser }: TestBrowser,
  url: string,
  options: BenchOptions,
  onProgress: (progress: BenchProgress) => void,
): Promise<Outcome> {
  const page = await browser.newPage();
  // A page of the server's origin with nothing on it that would take time.
  const blank = `${url}blank-page-of-the-benchmark`;
  // Isolated from other origins, so that its clock has steps of 5 us, not 100.
  const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
  await page.route(blank, (route) => route.fulfill({ contentType: 'text/html', headers, body: '<!doctype html>' }));
  await page.goto(blank);
  await page.exposeFunction('onBenchProgress', onProgress);
  // As text: a function would come here with its `import` rewritten by Vite.
  return page.evaluate<Outcome>(`(async () => {
    try {
      const { runBenchmark } = await import('/bench/harness.ts');
      const onProgress = (step) => void onBenchProgress(step);
      return { report: await runBenchmark({ ...${JSON.stringify(options)}, onProgress }) };
    } catch (error) {
      return { error: { code: error.code, message: error.message } };
    }
  })()`);
}

/**
 * The benchmark page in a real browser: a whole run from an address, what is cancelled or wrong, and saved reports. What it
 * shows is compared with the report, and the report with its schema.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { BenchProgress } from '../../../bench/options.ts';
import type { BenchReport } from '../../../bench/report.ts';
import { describeFindings } from '../../../bench/report/findings.ts';
import { fromSearchParams } from '../../../bench/request.ts';
import { formatMs } from '../../../src/page/format.ts';
import { forceablePasses } from '../../../src/scheduler/schedule.ts';
import { launchBrowser, startPage, type TestBrowser, type TestPage } from '../../support/browser.ts';
import { madeReport } from '../made-report.ts';
import { reportProblems } from '../report-schema.ts';
import { madeSearch } from '../search/made-search.ts';

/** Small enough for a software adapter. */
// One layer with CompConv: each kind of kernel more takes a software adapter half a second to compile.
const DEPTHS = { 'layer3.1.conv2': 2 };
const SMALL = `networks=resnet_small14&c0=&depths=${JSON.stringify(DEPTHS)}&size=16&runs=3`;
const [PLAIN, TWIN] = ['ResNetSmall14', 'CompConv-ResNetSmall14'];

let chromium: TestBrowser | undefined;
let site: TestPage | undefined;
let folder: string;
const contexts: BrowserContext[] = [];

beforeAll(async () => {
  [chromium, site, folder] = await Promise.all([launchBrowser(), startPage(), mkdtemp(join(tmpdir(), 'compconv-bench-page-'))]);
});

afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close();
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await site?.close();
  await chromium?.close();
});

interface OpenPage {
  readonly page: Page;
  /** What the browser complained about: errors on the console, broken policies, uncaught exceptions. */
  readonly errors: string[];
}

/** Opens the page; `before` runs in it before its scripts, `prepare` on its context. */
async function open(
  params: string,
  {
    before = '',
    width = 1280,
    prepare,
  }: { before?: string; width?: number; prepare?: (context: BrowserContext) => Promise<unknown> } = {},
): Promise<OpenPage> {
  const context = await chromium!.browser.newContext({ viewport: { width, height: 800 } });
  contexts.push(context);
  await prepare?.(context);
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  page.on('pageerror', (error) => errors.push(String(error)));
  if (before) await page.addInitScript(before);
  await page.goto(`${site!.url}bench/index.html${params && `?${params}`}`);
  return { page, errors };
}

const waitForState = (page: Page, state: string) =>
  page.locator(`html[data-state="${state}"]`).waitFor({ state: 'attached', timeout: 120_000 });
const whenReady = (page: Page) => page.locator('#run:enabled').waitFor({ timeout: 60_000 });
const reportOf = (page: Page) => page.evaluate('window.benchReport') as Promise<BenchReport>;
const overflow = (page: Page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
const columnOf = (page: Page, part: string, key: string) =>
  page.locator(`[data-part="${part}"] tbody [data-key="${key}"]`).allTextContents();

async function save(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

/** The text of a file that a click downloads. */
async function downloaded(page: Page, click: () => Promise<void>): Promise<{ name: string; text: string }> {
  const [download] = await Promise.all([page.waitForEvent('download'), click()]);
  return { name: download.suggestedFilename(), text: await readFile(await download.path(), 'utf8') };
}

describe('a whole run from an address', () => {
  it('measures, shows what is in the report, and gives it away', async () => {
    const address = `${SMALL}&sections=times,layers,adapter,scaling`;
    const { page, errors } = await open(`${address}&autostart`, {
      before: `window.steps = []; addEventListener('benchprogress', ({ detail }) => steps.push(detail));`,
    });
    await waitForState(page, 'done');
    const report = await reportOf(page);
    expect(reportProblems(report)).toEqual([]);
    expect(report.versions).toMatchObject({
      engine: expect.stringMatching(/^\d/),
      browser: expect.stringContaining('Chrome'),
      isolation: expect.stringMatching(/^isolated/),
    });
    expect(report.networks.map(({ label, verified }) => [label, verified])).toEqual([
      [PLAIN, true],
      [TWIN, true],
    ]);
    expect(await page.locator('#software-warning').isVisible()).toBe(chromium!.isSoftware);

    const steps = (await page.evaluate('steps')) as BenchProgress[];
    expect([...new Set(steps.map(({ phase }) => phase))].sort()).toEqual([
      'compile',
      'first-run',
      'layers',
      'limits',
      'measure',
      'scaling',
      'upload',
      'verify',
      'warm-up',
    ]);

    const [{ headline, detail }] = describeFindings(report);
    expect(await page.locator('#finding').textContent()).toBe(headline);
    expect(await page.locator('#finding-detail').textContent()).toBe(detail);
    console.log(`${headline}\n${detail}`);
    expect(await columnOf(page, 'times', 'median')).toEqual(
      report.networks.map(({ times }) => formatMs(times!.latencyMs.median)),
    );
    expect(await columnOf(page, 'phases', 'total')).toEqual(report.networks.map(({ load }) => formatMs(load!.totalMs)));
    expect(await columnOf(page, 'layers', 'layer')).toEqual(report.networks[1].graphLayers.map(({ name }) => name));
    await page.locator('[data-part="times"] figure svg').nth(2).waitFor();
    await page.locator('[data-part="layers"] figure svg').waitFor();

    const json = await downloaded(page, () => page.locator('[data-download="json"]').click());
    expect(json.name).toMatch(/^[a-z0-9-]+-\d{4}-\d\d-\d\d\.json$/);
    expect(JSON.parse(json.text)).toEqual(report);
    expect((await downloaded(page, () => page.locator('[data-download="csv"]').click())).text).toContain(TWIN);
    expect((await downloaded(page, () => page.locator('[data-download="md"]').click())).text).toContain(`### ${headline}`);
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await page.locator('[data-copy="link"]').click();
    await page.getByText('Link copied').waitFor();
    const link = new URL((await page.evaluate('navigator.clipboard.readText()')) as string);
    expect(fromSearchParams(link.searchParams)).toEqual(fromSearchParams(new URLSearchParams(address)));
    expect(link.searchParams.get('autostart')).toBe('1');
    expect(errors).toEqual([]);

    // A saved report looks like the run that it is from.
    const parts = () =>
      page
        .locator('[data-part]')
        .evaluateAll((found) =>
          found.map((part) => [(part as HTMLElement).dataset['part'], part.querySelector('tbody')!.textContent]),
        );
    const before = await parts();
    await page.setInputFiles('#file-input', await save('mine.json', json.text));
    await page.getByText('From the file mine.json').waitFor();
    expect(await parts()).toEqual(before);
  });
});

describe('cancelling', () => {
  it('ends in every phase at once, and the next run works', async () => {
    // The plain network alone, which compiles fast. Clicks as soon as the phase begins, and keeps how long the page took to say so.
    const { page, errors } = await open('networks=resnet_small14&c0=&size=16&runs=100000', {
      before: `addEventListener('benchprogress', ({ detail }) => {
        if (detail.phase !== window.cancelIn) return;
        delete window.cancelIn;
        const start = performance.now();
        document.querySelector('#cancel').click();
        new MutationObserver((_, observer) => {
          observer.disconnect();
          window.tookMs = performance.now() - start;
        }).observe(document.documentElement, { attributeFilter: ['data-state'] });
      });`,
    });
    await whenReady(page);
    const cancelIn = async (phase: string) => {
      await page.evaluate(`window.cancelIn = '${phase}'`);
      await page.locator('#run').click();
      await waitForState(page, 'failed');
      expect(await page.evaluate('window.tookMs')).toBeLessThan(500);
      expect(await page.locator('html').getAttribute('data-reason')).toBe('cancelled');
      expect(await page.locator('[data-message="info"]').textContent()).toContain('There are no results');
      expect(await page.evaluate('[window.benchReport, window.benchError.code]')).toEqual([undefined, 'aborted']);
      expect(await page.locator('#results').isVisible()).toBe(false);
    };
    for (const phase of ['compile', 'verify', 'measure']) await cancelIn(phase);
    await page.locator('#runs').fill('1');
    const layers = page.locator('[name="sections"][value="layers"]');
    await layers.check();
    await cancelIn('layers');
    await layers.uncheck();
    await page.locator('#run').click();
    await waitForState(page, 'done');
    expect(await page.locator('html').getAttribute('data-reason')).toBeNull();
    expect((await reportOf(page)).options).toMatchObject({ runs: 1, sections: ['times'] });
    expect(errors).toEqual([]);
  });

  it('does not wait for the CPU reference, which computes without a break', async () => {
    const { page } = await open('networks=resnet18&c0=&size=160&autostart');
    await page.locator('#status-text').filter({ hasText: 'against the CPU reference' }).waitFor({ timeout: 120_000 });
    const start = performance.now();
    await page.locator('#cancel').click();
    await waitForState(page, 'failed');
    expect(performance.now() - start).toBeLessThan(1500);
  });
});

describe('what is wrong', () => {
  it.each([
    ['no WebGPU', `Object.defineProperty(Navigator.prototype, 'gpu', { get: () => undefined })`, 'This browser has no WebGPU'],
    [
      'an address without https',
      `Object.defineProperty(window, 'isSecureContext', { value: false })`,
      'switched off on this address',
    ],
  ])('%s is said, and saved reports can be read all the same', async (_what, before, title) => {
    const { page, errors } = await open('autostart', { before });
    await waitForState(page, 'failed');
    expect(await page.locator('#failure h2').textContent()).toContain(title);
    expect(await page.locator('#run').isDisabled()).toBe(true);
    expect(await page.evaluate('window.benchError.code')).toBe('webgpu-unavailable');
    await page.setInputFiles(
      '#file-input',
      await save('made.json', JSON.stringify(madeReport({ networks: ['resnet_small14'], c0: [16] }))),
    );
    await page.locator('#finding').waitFor();
    expect(errors).toEqual([]);
  });

  it('workers without WebGPU, and no adapter, are told apart', async () => {
    const inWorker = (code: string) => (context: BrowserContext) =>
      context.route(/bench\/page\/machine\.ts/, async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, body: `${code}\n${await response.text()}` });
      });
    const noGpu = await open('', {
      prepare: inWorker(`Object.defineProperty(WorkerNavigator.prototype, 'gpu', { get: () => undefined });`),
    });
    await waitForState(noGpu.page, 'failed');
    expect(await noGpu.page.locator('#failure h2').textContent()).toBe('This browser has WebGPU, but not in workers');
    const code = `GPU.prototype.requestAdapter = async () => null;`;
    const noAdapter = await open('', { before: code, prepare: inWorker(code) });
    await waitForState(noAdapter.page, 'failed');
    expect(await noAdapter.page.locator('#failure h2').textContent()).toContain('offers no graphics adapter');
  });

  it('a kernel that computes something else has no time anywhere, and by how much it is off', async () => {
    const sabotaged = new Set<string>();
    const { page, errors } = await open(`${SMALL}&autostart`, {
      prepare: (context) =>
        context.route(/shaders\/store(-parts)?\.wgsl/, async (route) => {
          const response = await route.fetch();
          const code = await response.text();
          const changed = code
            .replace('var value = sum;', 'var value = 1.01 * sum;')
            .replace('reluIf(place.innerRelu, sum)', 'reluIf(place.innerRelu, 1.01 * sum)');
          if (changed !== code) sabotaged.add(new URL(route.request().url()).pathname);
          await route.fulfill({ response, body: changed });
        }),
    });
    await waitForState(page, 'done');
    expect([...sabotaged].sort()).toEqual(['/shaders/store-parts.wgsl', '/shaders/store.wgsl']);
    const report = await reportOf(page);
    expect(reportProblems(report)).toEqual([]);
    for (const network of report.networks) {
      expect(network.verified).toBe(false);
      expect(network.relativeError).toBeGreaterThan(1e-3);
      for (const key of ['times', 'load', 'speedUp']) expect(network).not.toHaveProperty(key);
    }
    const [plain, twin] = report.networks;
    expect(await page.locator('#finding').textContent()).toBe(`${TWIN} computes something else here, so no time is shown`);
    expect(await page.locator('#finding-detail').textContent()).toContain(`off by ${twin.relativeError!.toExponential(1)}`);
    expect(await page.locator('.finding-panel').getAttribute('data-outcome')).toBe('failed');
    expect(await columnOf(page, 'times', 'median')).toEqual(['no time', 'no time']);
    expect(await columnOf(page, 'times', 'error')).toEqual(
      [plain, twin].map(({ relativeError }) => `${relativeError!.toExponential(1)}, failed`),
    );
    await page.locator('[data-part="layers"] figure svg').waitFor();
    expect(await page.locator('#results').innerText()).not.toMatch(/\d\s*(ms|µs)\b|× as fast/);
    expect(errors).toEqual([]);
  });

  it('beside one that is right, it has no time either', async () => {
    const { page } = await open('');
    await whenReady(page);
    const report = madeReport({ networks: ['resnet_small14'], c0: [16], peers: [] });
    const [plain, { load: _l, times: _t, speedUp: _s, layers: _y, scaling: _c, ...twin }] = report.networks;
    const failed = {
      ...twin,
      verified: false,
      relativeError: 0.0312,
      problem: 'relative error 3.1e-2 against the CPU reference is above 1e-5',
    };
    await page.setInputFiles('#file-input', await save('failed.json', JSON.stringify({ ...report, networks: [plain, failed] })));
    await page.locator('#finding').filter({ hasText: 'no time is shown' }).waitFor();
    expect(await columnOf(page, 'times', 'median')).toEqual([formatMs(plain.times!.latencyMs.median), 'no time']);
    expect(await columnOf(page, 'times', 'gpu')).toEqual([formatMs(plain.times!.gpuTimeMs!.median), '–']);
    for (const part of ['phases', 'scaling']) expect(new Set(await columnOf(page, part, 'network'))).toEqual(new Set([PLAIN]));
    for (const key of ['speed-up', 'own-time']) expect(await columnOf(page, 'layers', key)).toEqual([]);
    for (const label of await page
      .locator('[data-part="times"] [role="img"]')
      .evaluateAll((charts) => charts.map((chart) => chart.getAttribute('aria-label')!)))
      expect(label).not.toContain(TWIN);
  });

  it('an address that asks for what is not there leaves the form as it is by default', async () => {
    const { page, errors } = await open('networks=resnet51&runs=7&autostart');
    await waitForState(page, 'failed');
    expect(await page.locator('[data-message="error"]').textContent()).toContain('networks: must be one of resnet18');
    expect(await page.evaluate('window.benchError.code')).toBe('invalid-argument');
    expect(await page.locator('#runs').inputValue()).toBe('10');
    expect(errors).toEqual([]);
  });

  it('a file that is no report is said to be none', async () => {
    const { page, errors } = await open('');
    await whenReady(page);
    const report = madeReport({ networks: ['resnet_small14'], c0: [16], peers: [] });
    const files: [string, string, string][] = [
      ['garbage.json', 'PK\u0003', 'It is no JSON'],
      ['cut.json', JSON.stringify(report).slice(0, -500), 'Its end is missing'],
      ['package.json', '{"name":"x"}', 'no report of this benchmark'],
      ['old.json', JSON.stringify({ ...report, format: 1 }), 'format 1'],
      ['odd.json', JSON.stringify({ ...report, date: 7 }), 'something is wrong in it'],
    ];
    for (const [name, content, message] of files) {
      await page.setInputFiles('#file-input', await save(name, content));
      const notice = page.locator('[data-message="error"]').filter({ hasText: `${name} cannot be shown` });
      await notice.waitFor();
      expect(await notice.textContent()).toContain(message);
      expect(await page.locator('#results').isVisible()).toBe(false);
    }
    expect(errors).toEqual([]);
  });
});

describe('the form', () => {
  it('and the address are one', async () => {
    const address =
      `networks=vgg16&c0=32,64&batch=2&runs=5&schedule=reference&without=free-slices&force=${forceablePasses.join(',')}` +
      '&sections=times,layers&peers=tfjs&seed=3&groups=4&inner=bn-relu';
    const { page, errors } = await open(address);
    await whenReady(page);
    await page.locator('#size').fill('64');
    await page.waitForURL(/size=64/);
    const asked = fromSearchParams(new URL(page.url()).searchParams);
    expect(asked).toEqual(fromSearchParams(new URLSearchParams(`${address}&size=64`)));

    await page.locator('#sweep').click();
    await page.waitForURL(/c0=32%2C64%2C128%2C256%2C512/);
    expect(await page.locator('#networks-text').textContent()).toContain('6 networks: VGG16, CompConv32-VGG16');
    await page.locator('#batch').fill('none');
    expect(await page.locator('#form-problem').textContent()).toContain('Batch: must be an integer from 1');
    await page.locator('#batch').fill('1');
    expect(await page.locator('#form-problem').isVisible()).toBe(false);

    await page.locator('#c0').fill('');
    await page.setInputFiles('#depth-file', await save('depths.json', '{"features.0": 1, "features.2": 2}'));
    await page.getByText('Depths of 2 layers from depths.json').waitFor();
    expect(await page.locator('#networks-text').textContent()).toBe('2 networks: VGG16, CompConv-VGG16');
    await page.setInputFiles('#depth-file', await save('stray.json', '{"conv9": 1}'));
    await page.locator('#form-problem').filter({ hasText: 'has no plain convolution "conv9"' }).waitFor();
    await page.setInputFiles('#depth-file', await save('wrong.json', '[1, 2]'));
    await page.locator('[data-message="error"]').filter({ hasText: 'wrong.json holds no depths by layer' }).waitFor();
    await page.locator('#remove-depths').click();
    expect(await page.locator('#networks-text').textContent()).toBe('1 network: VGG16');
    expect(errors).toEqual([]);
  });

  it('gives its networks as ONNX', async () => {
    const { page, errors } = await open(SMALL);
    await whenReady(page);
    await page.locator('#onnx summary').click();
    for (const label of [PLAIN, TWIN]) {
      const { name, text } = await downloaded(page, () => page.locator(`[data-onnx="${label}"]`).click());
      expect(name).toBe(`${label}.onnx`);
      expect(text).toContain('layer1.0.conv1');
      await page
        .locator('#onnx-status')
        .filter({ hasText: `${label}.onnx` })
        .filter({ hasText: 'is downloaded' })
        .waitFor();
    }
    expect(errors).toEqual([]);
  });
});

it('a search tells, layer by layer, which depth was chosen and why', async () => {
  const { page, errors } = await open('networks=resnet_small14&c0=');
  await whenReady(page);
  const made = madeSearch();
  const search = { ...made, searched: { ...made.searched, measuredMs: 9 } };
  await page.setInputFiles('#depth-file', await save('search.json', JSON.stringify(search)));
  await page.getByText(/^Depths of \d+ layers from search.json/).waitFor();
  const { depths } = search;
  await page.setInputFiles('#file-input', await save('searched.json', JSON.stringify(madeReport({ networks: ['resnet_small14'], c0: [], depths }))));
  await page.locator('#search-text').filter({ hasText: /from a search on a made-up adapter .* the most parameters within 90.0.% of the plain time/ }).waitFor();
  expect(await page.locator('#search-text').textContent()).toMatch(/; the budget of 90.0.% of the plain time is missed: predicted 89.0.%, measured 94.7.%\.$/);
  const row = page.locator('[data-part="layers"] tr[data-row="layer3.1.conv2"]');
  expect(await row.locator('[data-key="search-2"] strong').textContent()).toBe(await row.locator('[data-key="search-2"]').textContent());
  expect(await row.locator('[data-key="search-why"]').textContent()).toMatch(/^Saves .*ms, with 60.% of the parameters; depth 3 would save/);
  expect(await page.locator('tr[data-row="layer1.0.conv1"] [data-key="search-why"]').textContent()).toMatch(/^Kept plain within the budget/);
  // Of other depths it says nothing.
  await page.setInputFiles('#file-input', await save('other.json', JSON.stringify(madeReport({ networks: ['resnet_small14'], c0: [64] }))));
  await page.locator('[data-part="layers"]').filter({ hasText: 'CompConv64-ResNetSmall14' }).waitFor();
  expect(await page.locator('#search-text').count()).toBe(0);
  await page.setInputFiles('#depth-file', await save('broken.json', JSON.stringify({ ...madeSearch(), layers: 3 })));
  await page.locator('[data-message="error"]').filter({ hasText: 'broken.json holds no depths by layer' }).filter({ hasText: '$.layers: is no array' }).waitFor();
  expect(errors).toEqual([]);
});

describe('saved reports', () => {
  const full = madeReport({ networks: ['resnet_small14'], c0: [8, 16, 64] });

  it('show everything in 360 pixels; tables are sorted by keyboard', async () => {
    const { page, errors } = await open('', { width: 360 });
    await whenReady(page);
    await page.setInputFiles('#file-input', await save('full.json', JSON.stringify(full)));
    await page.locator('#finding').waitFor();
    const parts = await page
      .locator('[data-part]')
      .evaluateAll((found) => found.map((part) => (part as HTMLElement).dataset['part']));
    expect(parts).toEqual(['times', 'phases', 'sweep', 'peers', 'layers', 'limits', 'scaling']);
    await page.locator('[data-part="layers"] figure svg').waitFor();
    await page.evaluate(() => document.querySelectorAll('details').forEach((details) => (details.open = true)));
    expect(await overflow(page)).toBe(0);
    // Every chart says what it shows.
    for (const label of await page
      .locator('[role="img"]')
      .evaluateAll((charts) => charts.map((chart) => chart.getAttribute('aria-label')!)))
      expect(label).toMatch(/\d/);

    const head = page.locator('[data-part="layers"] th[data-key="own-time"]');
    const times = async () =>
      await page
        .locator('[data-part="layers"] tbody [data-key="own-time"]')
        .evaluateAll((cells) => cells.map((cell) => Number((cell as HTMLElement).dataset['value'])));
    const inOrder = await times();
    await head.getByRole('button').focus();
    await page.keyboard.press('Enter');
    expect(await head.getAttribute('aria-sort')).toBe('descending');
    expect(await times()).toEqual([...inOrder].sort((a, b) => b - a));
    await page.keyboard.press('Space');
    expect(await head.getAttribute('aria-sort')).toBe('ascending');
    expect(await times()).toEqual([...inOrder].sort((a, b) => a - b));
    await page.locator('#layers-network').selectOption('CompConv64-ResNetSmall14');
    await page.locator('#layers-measure').selectOption({ label: 'MACs' });
    await page.locator('[data-part="layers"] figcaption').filter({ hasText: 'MACs of each layer' }).waitFor();
    expect(errors).toEqual([]);
  });

  it('two are compared, dropped or one after the other', async () => {
    const { page, errors } = await open('');
    await whenReady(page);
    const other = madeReport({ networks: ['resnet_small14'], c0: [16], runs: 4, peers: [] }, true);
    const [a, b] = [await save('a.json', JSON.stringify(full)), await save('b.json', JSON.stringify(other))];
    await page.setInputFiles('#file-input', [a, b]);
    await page.locator('#comparison-title').waitFor();
    const expected = full.networks[0].times!.latencyMs.median / other.networks[0].times!.latencyMs.median;
    const ratio = page.locator(`#comparison tr[data-row="${PLAIN}/compconv-webgpu"] [data-key="ratio"]`);
    expect(await ratio.textContent()).toBe(`${expected.toFixed(2)}× as fast`);
    expect(await page.locator('#differences').textContent()).toContain('runs: 10 in A, 4 in B');

    await page.setInputFiles('#file-input', a);
    await page.getByText('From the file a.json').waitFor();
    await page.setInputFiles('#file-input', b);
    await page.getByRole('button', { name: 'Compare it with a.json' }).click();
    expect(await ratio.textContent()).toBe(`${expected.toFixed(2)}× as fast`);
    expect(errors).toEqual([]);
  });
});

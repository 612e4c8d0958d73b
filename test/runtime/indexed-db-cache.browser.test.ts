/** Tuning in Chromium: what `tune()` finds goes to IndexedDB by itself, and another page's session begins with it. */
import { expect, test } from 'vitest';
import { launchBrowser, startPage } from '../support/browser.ts';

/** As text: the page imports the sources. */
const IN_PAGE = `
  const { createSession, GraphBuilder, graphParams, indexedDbTuningCache, seededWeights } = await import('/src/index.ts');
  const { tuningKey } = await import('/src/runtime/tuning-cache.ts');
  const g = new GraphBuilder();
  const x = g.relu('relu', g.conv2d('conv', g.input({ n: 1, h: 8, w: 8, c: 4 }), 16, { kernelSize: 3, padding: 1 }));
  g.linear('fc', g.avgPool('pool', x, 1, 1), 3);
  const graph = g.build('tiny');
  const model = { graph, weights: seededWeights(graphParams(graph), 1) };
`;

test('IndexedDB keeps what was found, and gives nothing for another key or what is no record', async () => {
  const server = await startPage();
  const { browser, close } = await launchBrowser();
  try {
    const context = await browser.newContext();
    const blank = `${server.url}blank-page-of-the-test`;
    await context.route(blank, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }));
    const evaluate = async (code: string) => {
      const page = await context.newPage();
      await page.goto(blank);
      try {
        return (await page.evaluate(`(async () => {${IN_PAGE}${code}})()`)) as Record<string, any>;
      } finally {
        await page.close();
      }
    };
    const first = await evaluate(`
      const session = await createSession(model);
      const report = await session.tune();
      const record = await indexedDbTuningCache().get(tuningKey(session.adapter));
      session.dispose();
      return { report, record };`);
    const [{ signature, chosen, timesMs, excluded }] = first['report'].signatures;
    expect(first['report']).toMatchObject({ network: 'tiny', fromCache: false, problems: [] });
    expect(first['record']).toEqual({ adapter: first['report'].adapter, signatures: { [signature]: { chosen, timesMs, excluded } } });

    const second = await evaluate(`
      const cache = indexedDbTuningCache();
      const session = await createSession(model, { tuning: cache });
      const { tuned } = session;
      const { fromCache } = await session.tune();
      session.dispose();
      await cache.set('no record', { adapter: 1 });
      const none = [await cache.get('another key') === undefined, await cache.get('no record') === undefined];
      const problem = await indexedDbTuningCache().set('a', { adapter: () => {} }).catch(({ code, message }) => ({ code, message }));
      return { tuned, fromCache, none, problem };`);
    expect(second).toEqual({
      tuned: { known: 1, total: 1 },
      fromCache: true,
      none: [true, true],
      problem: { code: 'io', message: expect.stringContaining('tuning cache: IndexedDB failed') as string },
    });
  } finally {
    await close();
    await server.close();
  }
});

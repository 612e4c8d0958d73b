/** A session whose browser loses its GPU process, before, during and after runs: nothing wrong, no hang, and it runs on. */
import { expect, test } from 'vitest';
import { launchBrowser, startPage } from '../support/browser.ts';
import { rounds } from '../support/rounds.ts';

const ROUNDS = rounds(4, 100);

/** As text: the page imports the sources. */
const SET_UP = `(async () => {
  const { createSession, GraphBuilder, graphParams, seededWeights } = await import('/src/index.ts');
  const { seededUniform } = await import('/src/weights/seeded.ts');
  const g = new GraphBuilder();
  g.linear('fc', g.relu('relu', g.conv2d('conv', g.input({ n: 1, h: 9, w: 7, c: 3 }), 8, { kernelSize: 3, padding: 1 })), 5);
  const graph = g.build('tiny');
  window.input = { shape: [1, 3, 9, 7], data: seededUniform(1, 'x', 189, -1, 1) };
  window.losses = 0;
  window.session = await createSession({ graph, weights: seededWeights(graphParams(graph), 1) }, { onDeviceLost: () => window.losses++ });
  window.attempt = () => session.run(input).then(({ data }) => [...data], ({ code, message }) => ({ code, message }));
  return { adapter: session.adapter.name, expected: await attempt(), memory: session.memory };
})()`;

test('the GPU process crashes again and again', async () => {
  const server = await startPage();
  // Without these Chromium gives up WebGPU after a few crashes.
  const { browser, close } = await launchBrowser({ args: ['--disable-gpu-process-crash-limit', '--disable-domain-blocking-for-3d-apis'] });
  try {
    const context = await browser.newContext();
    const page = await context.newPage();
    const blank = `${server.url}blank-page-of-the-test`;
    await context.route(blank, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }));
    await page.goto(blank);
    const { adapter, expected, memory } = await page.evaluate<any>(SET_UP);
    console.log(`adapter: ${adapter}`);
    const control = await browser.newBrowserCDPSession();
    /** As chrome://gpucrash does, which is for people only. */
    const crash = () => control.send('Browser.crashGpuProcess');
    const outcomes: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const [outcome] = await Promise.all([round % 2 === 0 ? page.evaluate<any>('attempt()') : crash().then(() => page.evaluate<any>('attempt()')), round % 2 === 0 ? crash() : undefined]);
      const first = Array.isArray(outcome) ? 'result' : (outcome.code as string);
      outcomes.push(first);
      if (Array.isArray(outcome)) expect(outcome).toEqual(expected);
      const next = await page.evaluate<any>('attempt()');
      const last = Array.isArray(next) ? next : await page.evaluate<any>('attempt()');
      expect(last).toEqual(expected);
      expect(await page.evaluate('session.memory')).toEqual(memory);
    }
    console.log(`outcomes: ${outcomes.join(', ')}; losses seen: ${await page.evaluate<number>('losses')}`);
    expect(await page.evaluate<number>('losses')).toBe(ROUNDS);
  } finally {
    await close();
    await server.close();
  }
});

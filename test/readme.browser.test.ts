/** The README's embedding example, run in Chromium as it stands; only the package's name is resolved to the sources. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { launchBrowser, startPage } from './support/browser.ts';

test('the embedding example', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(readme)![1];
  expect(example.trim().split('\n').length).toBeLessThanOrEqual(18);
  const server = await startPage();
  const { browser, close } = await launchBrowser();
  try {
    const page = await browser.newPage();
    const lines: string[] = [];
    const problems: string[] = [];
    page.on('console', (message) => (message.type() === 'error' ? problems : lines).push(message.text()));
    page.on('pageerror', (error) => problems.push(String(error)));
    await page.route('**/readme-example.js', (route) =>
      route.fulfill({ contentType: 'text/javascript', body: `${example.replace("'compconv-webgpu'", "'/src/index.ts'")}\nwindow.finished = true;` }),
    );
    await page.route('**/readme.html', (route) =>
      route.fulfill({ contentType: 'text/html', body: '<!doctype html><script type="module" src="/readme-example.js"></script>' }),
    );
    await page.goto(`${server.url}readme.html`);
    await page.waitForFunction(() => 'finished' in window, undefined, { timeout: 30_000 }).catch(() => {});
    expect(problems).toEqual([]);
    expect(lines.some((line) => /^download (\d+) of \1$/.test(line))).toBe(true);
    expect(lines).toContain('CompConv16-ResNetSmall14 on 10 classes');
    expect(lines.some((line) => line.startsWith('compile ') && /^compile (\d+) of \1$/.test(line))).toBe(true);
    expect(lines.some((line) => line.endsWith(' 7828390 MACs'))).toBe(true);
    // Three classes with scores, best first.
    const scores = lines.slice(-3).map((line) => Number(line.split(' ').at(-1)));
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(lines.at(-3)).toMatch(/^Ankle boot /);
  } finally {
    await close();
    await server.close();
  }
});

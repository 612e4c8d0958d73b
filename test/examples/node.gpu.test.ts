/** The example for Node, installed from the packed package. */
import { readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { findChromiumPackage } from '../../cli/chromium-package.ts';
import { vulkanDrivers } from '../../cli/vulkan-driver.ts';
import { installExample, removeExample } from '../support/example.ts';
import { runNode, type Outcome } from '../support/run-node.ts';

let folder: string;
beforeAll(async () => {
  folder = await installExample('node');
});
afterAll(() => removeExample(folder));

/** What a process has to be told on a machine without a GPU, or without a Vulkan loader. */
async function driverEnvironment(): Promise<Record<string, string>> {
  const { value: driver } = await vulkanDrivers().next();
  const software = await findChromiumPackage();
  const libraries = software && [process.env['LD_LIBRARY_PATH'], await software.unpack('swiftshader')].filter(Boolean).join(delimiter);
  return { ...driver?.env, ...(libraries && { LD_LIBRARY_PATH: libraries }) };
}

async function runIn(cwd: string, ...args: string[]): Promise<Outcome> {
  return runNode(args, undefined, { cwd, env: { ...process.env, ...(await driverEnvironment()) } });
}

const run = (...images: string[]) => runIn(folder, 'main.mjs', ...images);

test('node: classifies files, tells its progress, and ends', async () => {
  const images = ['test-0000.png', 'test-0002.png'].map((name) => join('../../public/images/fashion-mnist', name));
  const { status, stdout, stderr } = await run(...images);
  expect([status, stderr]).toEqual([0, expect.stringMatching(/^(download|compile) \d+ of \d+$/m)]);
  const lines = stdout.trim().split('\n');
  expect(lines[0]).toMatch(/^CompConv16-ResNetSmall14 on \S/);
  expect(lines.slice(1)).toEqual([expect.stringMatching(/test-0000\.png: Ankle boot \d/), expect.stringMatching(/test-0002\.png: Trouser \d/)]);
});

test('node: a file that is none is named', async () => {
  const { status, stderr } = await run('nowhere.png');
  expect([status, stderr]).toEqual([1, expect.stringContaining('nowhere.png: cannot be read: there is no such file or folder')]);
});

test('the README’s example for Node, as it stands', async () => {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
  const [, example] = /run by test\/examples\/node\.gpu\.test\.ts[^]*?```ts\n([^]*?)```/.exec(readme)!;
  const script = join(folder, 'readme.mjs');
  await writeFile(script, example);
  const { status, stdout, stderr } = await runIn(join(folder, '../..'), script);
  expect(status, stderr).toBe(0);
  expect(stdout).toMatch(/^Ankle boot \d\.\d{3}\n.*\n.*\n$/);
});

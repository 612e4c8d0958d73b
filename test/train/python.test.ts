/** `train/`'s own tests, where there is a Python with PyTorch; else whether its sources are Python at all, if there is one. */
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { python, pythonWithTorch, runPython, TRAIN } from './python.ts';

const MINUTE = 60_000;

async function expectSuccess(command: string, ...args: string[]): Promise<string> {
  const { status, output } = await runPython(command, args);
  expect(status, output).toBe(0);
  return output;
}

if (pythonWithTorch) {
  it.concurrent(`the Python tests of train/, by ${pythonWithTorch}`, { timeout: 10 * MINUTE }, async () => {
    const output = await expectSuccess(pythonWithTorch!, '-m', 'unittest', 'discover');
    const ran = Number(/^Ran (\d+) tests/m.exec(output)?.[1]);
    console.log(`${ran} Python tests`);
    expect(ran).toBeGreaterThan(0);
  });

  const hasMypy = (await runPython(pythonWithTorch, ['-m', 'mypy', '--version'])).status === 0;
  it.concurrent(hasMypy ? 'types of train/, by mypy' : 'there is no mypy here: types of train/ are not checked', { timeout: 5 * MINUTE }, async () => {
    if (hasMypy) await expectSuccess(pythonWithTorch!, '-m', 'mypy', '--cache-dir', '/dev/null');
  });
} else if (python) {
  it('there is no PyTorch here: train/ compiles, its tests are not run', async () => {
    const sources = readdirSync(TRAIN, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.py'));
    expect(sources.length).toBeGreaterThan(10);
    const parse = 'import sys\nfor path in sys.argv[1:]: compile(open(path, encoding="utf-8").read(), path, "exec")';
    await expectSuccess(python!, '-c', parse, ...sources);
  });
} else {
  it('there is no Python 3.11 here: train/ is not checked', () => expect(python).toBeUndefined());
}

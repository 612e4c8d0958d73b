/** `train/`'s own tests, where there is a Python with PyTorch; else whether its sources are Python at all, if there is one. */
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { python, pythonWithTorch, runPython, TRAIN } from './python.ts';

const MINUTE = 60_000;

function expectSuccess(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = runPython(command, args);
  expect(status, stdout + stderr).toBe(0);
  return stdout + stderr;
}

if (pythonWithTorch) {
  it(`the Python tests of train/, by ${pythonWithTorch}`, { timeout: 10 * MINUTE }, () => {
    const output = expectSuccess(pythonWithTorch!, '-m', 'unittest', 'discover');
    const ran = Number(/^Ran (\d+) tests/m.exec(output)?.[1]);
    console.log(`${ran} Python tests`);
    expect(ran).toBeGreaterThan(0);
  });

  const hasMypy = runPython(pythonWithTorch, ['-m', 'mypy', '--version']).status === 0;
  it(hasMypy ? 'types of train/, by mypy' : 'there is no mypy here: types of train/ are not checked', { timeout: 5 * MINUTE }, () => {
    if (hasMypy) expectSuccess(pythonWithTorch!, '-m', 'mypy', '--cache-dir', '/dev/null');
  });
} else if (python) {
  it('there is no PyTorch here: train/ compiles, its tests are not run', () => {
    const sources = readdirSync(TRAIN, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.py'));
    expect(sources.length).toBeGreaterThan(10);
    const parse = 'import sys\nfor path in sys.argv[1:]: compile(open(path, encoding="utf-8").read(), path, "exec")';
    expectSuccess(python!, '-c', parse, ...sources);
  });
} else {
  it('there is no Python 3.11 here: train/ is not checked', () => expect(python).toBeUndefined());
}

/** A Python that has PyTorch, where there is one; the tests of `train/` have less to do without. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const TRAIN = fileURLToPath(new URL('../../train/', import.meta.url));

/** The first of them may be a version manager's, the system's the one with PyTorch. */
const candidates = ['python3', '/usr/bin/python3', 'python'];

/** The first command that runs some code without an error. */
const first = (code: string) => candidates.find((command) => runPython(command, ['-c', code]).status === 0);

/** A Python 3.11 or newer, which `train/` needs. */
export const python = first('import sys; assert sys.version_info >= (3, 11)');
/** One that has PyTorch. */
export const pythonWithTorch = first('import sys, torch; assert sys.version_info >= (3, 11)');

/** Runs Python in `train/`, by itself on one core. */
export function runPython(command: string, args: readonly string[]) {
  const env = { ...process.env, OMP_NUM_THREADS: '1', PYTHONDONTWRITEBYTECODE: '1' };
  return spawnSync(command, args, { cwd: TRAIN, encoding: 'utf8', env, maxBuffer: 1 << 28 });
}

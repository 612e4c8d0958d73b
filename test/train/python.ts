/** A Python that has PyTorch, where there is one; the tests of `train/` have less to do without. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const TRAIN = fileURLToPath(new URL('../../train/', import.meta.url));

/** The first of them may be a version manager's, the system's the one with PyTorch. */
const candidates = ['python3', '/usr/bin/python3', 'python'];

/** The first command that runs some code without an error. */
async function first(code: string): Promise<string | undefined> {
  for (const command of candidates) if ((await runPython(command, ['-c', code])).status === 0) return command;
  return undefined;
}

/** A Python 3.11 or newer, which `train/` needs. */
export const python = await first('import sys; assert sys.version_info >= (3, 11)');
/** One that has PyTorch and torchvision. */
export const pythonWithTorch = await first('import sys, torch, torchvision; assert sys.version_info >= (3, 11)');

/** Runs Python in `train/`, by itself on one core; `status` is null where there is no such command. */
export function runPython(command: string, args: readonly string[]): Promise<{ status: number | null; output: string }> {
  const env = { ...process.env, OMP_NUM_THREADS: '1', PYTHONDONTWRITEBYTECODE: '1' };
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: TRAIN, env });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.once('error', (error) => resolve({ status: null, output: error.message }));
    child.once('close', (status) => resolve({ status, output }));
  });
}

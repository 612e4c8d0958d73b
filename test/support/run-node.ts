/** Node scripts as child processes, with what they print. */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a Node script to its end, by default in the repository's root; `meanwhile` may talk to the process. */
export function runNode(args: readonly string[], meanwhile?: (child: ChildProcess) => void, where: SpawnOptions = {}): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, ...where, stdio: 'pipe' });
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.once('error', reject);
    // As a shell reports an end by Ctrl-C.
    child.once('close', (code, signal) => resolve({ status: signal === 'SIGINT' ? 130 : code, stdout, stderr }));
    meanwhile?.(child);
  });
}

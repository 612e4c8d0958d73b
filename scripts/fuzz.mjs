/**
 * `npm run fuzz`: the targets of test/fuzz/ on ever new inputs, for as long as is asked for. docs/fuzzing.md says how to use it.
 *
 * Inputs are tried in a process of their own, a trial of a second or two after another, so that one that hangs or ends it is a finding,
 * too: it is started again after that.
 */

import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const USAGE = `npm run fuzz -- [--minutes 5] [--target <name>]... [--out .cache/fuzz]
npm run fuzz -- --target <name> --seed <n> [--path <path>] [--runs <n>]   once more, what a finding says`;
const TRIAL_MS = 2000;
/** A trial that takes longer hangs. */
const HANGS_AFTER_MS = 60_000;
/** Heap of the process that tries: inputs are small, and so is what may come of them. */
const HEAP_MB = 1024;
const MAX_SEED = 2 ** 31;
const FROM_OUTSIDE = ['SIGTERM', 'SIGINT', 'SIGHUP'];

/** The other process: tries what it is told to. */
async function tryForParent() {
  // A terminal's Ctrl-C reaches both; the parent has the last word.
  process.on('SIGINT', () => {});
  process.on('disconnect', () => process.exit());
  const { createServer } = await import('vite');
  const server = await createServer({
    ...{ root, configFile: false, logLevel: 'error' },
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
    optimizeDeps: { noDiscovery: true },
  });
  const { fuzz, targets } = await server.ssrLoadModule('/test/fuzz/targets.ts');
  process.on('message', async (trial) => {
    const start = performance.now();
    const result = await fuzz(trial).catch((error) => ({ failure: error.message }));
    process.send({ ...result, ms: performance.now() - start });
  });
  process.send({ targets: targets.map(({ name }) => name) });
}

async function main() {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '5' },
      target: { type: 'string', multiple: true },
      seed: { type: 'string' },
      path: { type: 'string' },
      runs: { type: 'string', default: '1000' },
      out: { type: 'string', default: join(root, '.cache', 'fuzz') },
      help: { type: 'boolean', default: false },
    },
  });
  const [minutes, runs, seed] = [values.minutes, values.runs, values.seed ?? '0'].map(Number);
  if (values.help || !(minutes > 0) || !(runs >= 1) || !Number.isInteger(seed)) {
    console.log(USAGE);
    return values.help ? 0 : 2;
  }
  const tester = new Tester();
  const known = await tester.start();
  const names = values.target ?? known;
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) {
    console.error(`there is no target ${unknown}; there are ${known.join(', ')}`);
    tester.stop();
    return 2;
  }
  const counts = new Map(names.map((name) => [name, { executions: 0, ms: 0, findings: new Map(), runs: 20 }]));

  let isInterrupted = false;
  process.once('SIGINT', () => {
    isInterrupted = true;
    tester.stop();
  });
  const end = performance.now() + minutes * 60_000;
  let lastProgress = performance.now();
  const isOnce = values.seed !== undefined;
  rounds: do {
    for (const target of names) {
      const count = counts.get(target);
      const trial = isOnce
        ? { target, seed, runs, ...(values.path !== undefined && { path: values.path }) }
        : { target, seed: Math.floor(Math.random() * MAX_SEED), runs: count.runs };
      const result = await tester.try(trial);
      if (isInterrupted) break rounds;
      if (result.failure) throw new Error(result.failure);
      count.executions += result.executions;
      count.ms += result.ms;
      count.runs = Math.min(Math.max(1, Math.round((trial.runs * TRIAL_MS) / result.ms)), 4 * trial.runs);
      if (result.finding) note(values.out, trial, result.finding, count.findings);
      if (isOnce) continue;
      if (performance.now() > end) break rounds;
      if (performance.now() - lastProgress > 30_000) {
        lastProgress = performance.now();
        console.log(`\n${((end - lastProgress) / 60_000).toFixed(1)} minutes left\n${table(counts)}`);
      }
    }
  } while (!isOnce);
  tester.stop();
  console.log(`\n${table(counts)}`);
  const findings = [...counts.values()].reduce((sum, count) => sum + count.findings.size, 0);
  console.log(findings === 0 ? 'no findings' : `${findings} findings, in ${values.out}`);
  return findings === 0 ? 0 : 1;
}

/** Keeps a finding, unless it is one of those there are: the same problem on another input. */
function note(folder, trial, { path, input, problem }, findings) {
  const kind = problem.replace(/\d+/g, '#').split('\n').slice(0, 3).join('\n');
  findings.set(kind, (findings.get(kind) ?? 0) + 1);
  if (findings.get(kind) > 1) return;
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${trial.target}-${createHash('sha256').update(kind).digest('hex').slice(0, 8)}.txt`);
  const again = `npm run fuzz -- --target ${trial.target} --seed ${trial.seed} --runs ${trial.runs}${path ? ` --path ${path}` : ''}`;
  writeFileSync(file, `${again}\n\n${problem}\n\n${input}\n`);
  console.log(`\nFINDING in ${trial.target}: ${problem.split('\n')[0]}\n  ${file}\n  ${again}`);
}

function table(counts) {
  const rows = [...counts].map(([target, { executions, ms, findings }]) => {
    const rate = executions === 0 ? 0 : Math.round((1000 * executions) / ms);
    return `${target.padEnd(20)}${String(executions).padStart(10)} inputs${String(rate).padStart(7)} a second${String(findings.size).padStart(4)} findings`;
  });
  return rows.join('\n');
}

/** The process that tries inputs, and what starts it again. */
class Tester {
  #child;
  #isStopped = false;

  /** @returns names of the targets */
  async start() {
    this.#child = fork(fileURLToPath(import.meta.url), { execArgv: [`--max-old-space-size=${HEAP_MB}`], stdio: ['ignore', 'inherit', 'pipe', 'ipc'] });
    const { targets } = await this.#answer();
    if (!targets) throw new Error('the targets cannot be loaded');
    return targets;
  }

  stop() {
    this.#isStopped = true;
    this.#child.kill('SIGKILL');
  }

  /** What came of a trial; that it hung, or ended the process, is a finding. */
  async try(trial) {
    const child = this.#child;
    let isHanging = false;
    const timer = setTimeout(() => {
      isHanging = true;
      child.kill('SIGKILL');
    }, HANGS_AFTER_MS);
    const start = performance.now();
    child.send(trial);
    const { stderr, signal, code, ...result } = await this.#answer();
    clearTimeout(timer);
    if (stderr === undefined) return result;
    const what = isHanging ? `hung for ${HANGS_AFTER_MS / 1000} s` : `ended the process (${signal ?? `exit code ${code}`})`;
    if (!this.#isStopped) await this.start();
    // Of somebody else's sending: no input does that.
    if (FROM_OUTSIDE.includes(signal)) return { executions: 0, ms: performance.now() - start };
    const finding = { path: '', input: 'one of the inputs of the seed', problem: `${what}\n${stderr}` };
    return { executions: trial.runs, ms: performance.now() - start, finding };
  }

  /** The next message; or how the process ended, and what it said last. */
  #answer() {
    const child = this.#child;
    let stderr = '';
    const onText = (text) => (stderr = (stderr + text).slice(-4000));
    child.stderr.on('data', onText);
    return new Promise((resolve) => {
      const onExit = (code, signal) => resolve({ stderr, code, signal });
      child.once('exit', onExit);
      child.once('message', (message) => {
        child.off('exit', onExit);
        child.stderr.off('data', onText);
        resolve(message);
      });
    });
  }
}

if (process.send) await tryForParent();
else process.exitCode = await main();

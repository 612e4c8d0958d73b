/**
 * `npm test`: installs what is missing, checks types, runs all tests, and ends with the line `N passed, N failed`.
 * What follows `--` goes to Vitest: `npm test -- conv2d`, `npm test -- --project unit`.
 */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureInstalled } from './ensure-installed.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
if (!ensureInstalled()) {
  console.log('0 passed, 1 failed');
  process.exit(1);
}

console.log('checking types');
const typesExit = await run('typescript/bin/tsc', '--noEmit');
if (typesExit !== 0) console.error('the type check failed; running the tests all the same');

const folder = mkdtempSync(join(tmpdir(), 'compconv-test-'));
const reportPath = join(folder, 'report.json');
const vitestExit = await run(
  'vitest/vitest.mjs',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${reportPath}`,
  ...process.argv.slice(2),
);
const { passed, failed: failedTests } = readReport();
rmSync(folder, { recursive: true, force: true });

let failed = failedTests + (typesExit === 0 ? 0 : 1);
// An error outside of any test, or no test at all, is a failure too.
if (failed === 0 && (vitestExit !== 0 || passed === 0)) failed = 1;
if (passed === 0) console.error('no test ran');
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

/** Runs a tool from node_modules with this Node; gives its exit code. */
function run(tool, ...args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(root, 'node_modules', tool), ...args], { cwd: root, stdio: 'inherit' });
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

function readReport() {
  let report;
  try {
    report = JSON.parse(readFileSync(reportPath, 'utf8'));
  } catch {
    return { passed: 0, failed: 0 };
  }
  // A file that cannot be loaded, or whose hooks fail, has failed even where no test of it could.
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((result) => result.status === 'failed'),
  );
  return { passed: report.numPassedTests, failed: report.numFailedTests + brokenFiles.length };
}

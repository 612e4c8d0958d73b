/**
 * Installs the dependencies if they are missing or are not those of package-lock.json. Plain JavaScript without
 * dependencies, since it runs before there are any.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Gives true at once if all is there; false, after saying why, if the installation fails. */
export function ensureInstalled() {
  const reason = whatIsMissing();
  if (!reason) return true;
  console.log(`${reason}: running npm ci`);
  const { command, args, shell } = npmCommand('ci', '--no-audit', '--no-fund');
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', shell });
  if (result.status === 0) return true;
  const how = result.error?.message ?? (result.signal ? `ended by ${result.signal}` : `exit code ${result.status}`);
  console.error(`could not install the dependencies: npm ci failed (${how}).`);
  console.error('Its messages above say why; it needs the npm registry, or a full npm cache, and Node 20.19 or newer.');
  return false;
}

/** npm notes what it installed in node_modules/.package-lock.json, in the lock file's own form, when it is done. */
function whatIsMissing() {
  const installedPath = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(installedPath)) return 'the dependencies are not installed';
  let wanted, installed;
  try {
    wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    installed = JSON.parse(readFileSync(installedPath, 'utf8')).packages;
  } catch (error) {
    return `the record of installed dependencies cannot be read (${error.message})`;
  }
  for (const [path, { version, optional, devOptional }] of Object.entries(wanted)) {
    // The project itself; and optional packages for other systems, which npm leaves out.
    if (path === '' || ((optional || devOptional) && !installed[path])) continue;
    if (installed[path]?.version !== version || !existsSync(join(root, path))) {
      return `${path.replace(/^.*node_modules\//, '')} ${version} is not installed`;
    }
  }
  return undefined;
}

/** The npm that started this script, else the one on the PATH. */
export function npmCommand(...args) {
  const npm = process.env.npm_execpath;
  if (npm && basename(npm).startsWith('npm') && existsSync(npm)) {
    return { command: process.execPath, args: [npm, ...args], shell: false };
  }
  // On Windows npm is a batch file, which only a shell starts.
  return { command: 'npm', args, shell: process.platform === 'win32' };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = ensureInstalled() ? 0 : 1;

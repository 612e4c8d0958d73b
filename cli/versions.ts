/** Versions for reports and `--version`. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { version } from '../package.json';

/** Of this package; the bundle carries it. */
export const engineVersion: string = version;

/** Of an installed package; undefined if it is not there or hides its version. */
export function packageVersion(name: string): string | undefined {
  try {
    const path = createRequire(import.meta.url).resolve(`${name}/package.json`);
    return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;
  } catch {
    return undefined;
  }
}

/** `npm run bench:browser -- [options]`: loads the TypeScript of `bench/browser.ts` with Vite and runs it. */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runnerImport } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));
const { module } = await runnerImport(join(root, 'bench/browser.ts'), { root, configFile: false, logLevel: 'error' });
process.exitCode = await module.main(process.argv.slice(2));

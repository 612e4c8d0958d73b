/** The page to open in a browser with WebGPU, which `cli/browser.ts` launches. */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';

export { launchBrowser, type GpuBrowser as TestBrowser } from '../../cli/browser.ts';

export interface TestPage {
  /** Address of the repository's root, with a slash at the end; `index.html` lies there. */
  url: string;
  close(): Promise<void>;
}

/** Serves the repository's root with Vite on a free port. */
export async function startPage(): Promise<TestPage> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const server = await createServer({
    root,
    configFile: join(root, 'vite.config.ts'),
    logLevel: 'error',
    // Apart from a development server's, and from that of the test file beside this one.
    cacheDir: join(root, `node_modules/.vite/test-${process.env['VITEST_POOL_ID'] ?? 0}`),
    server: { host: '127.0.0.1', port: 0, hmr: false, watch: null, open: false },
  });
  await server.listen();
  const address = server.httpServer?.address();
  if (!address || typeof address === 'string') throw new Error('Vite listens on no port');
  // By name: Chromium takes pages from localhost for secure, which WebGPU requires.
  return { url: `http://localhost:${address.port}/`, close: () => server.close() };
}

/** `npm start`: serves the demo page and says where. Options: `--port N`, `--host [address]`. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ensureInstalled } from './ensure-installed.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { port, host } = readOptions();
if (!ensureInstalled()) process.exit(1);

const { createServer } = await import('vite');
const server = await createServer({ root, server: { port, host, strictPort: port !== undefined } });
try {
  await server.listen();
} catch (error) {
  console.error(`cannot serve the page: ${error.message}`);
  await server.close();
  process.exit(1);
}
if (!existsSync(join(root, 'index.html'))) console.error('index.html is missing: there is no page to show');
server.printUrls();
console.log('  Open it in a browser with WebGPU (Chrome, Edge, Safari 26, Firefox 141 or newer). Ctrl-C stops.\n');

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    // A browser keeps connections open; do not wait for it.
    setTimeout(() => process.exit(0), 1000).unref();
    await server.close();
    process.exit(0);
  });
}

function readOptions() {
  try {
    const { values } = parseArgs({ options: { port: { type: 'string' }, host: { type: 'string' } } });
    const number = values.port === undefined ? undefined : Number(values.port);
    if (number !== undefined && !(Number.isInteger(number) && number >= 0 && number < 65536)) {
      throw new Error(`--port must be a number from 0 to 65535, not '${values.port}'`);
    }
    return { port: number, host: values.host };
  } catch (error) {
    console.error(`${error.message}\nusage: npm start -- [--port N] [--host ADDRESS]`);
    process.exit(2);
  }
}

/**
 * An example as its reader has it: installed from the packed package, with what its package.json names beside it and nothing else of
 * the repository's, then built by its own script and served as plain files.
 */
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import sirv from 'sirv';
import { installPackage, npm, readManifest } from './package.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Outside the repository, where nothing is found by chance.
 * @returns the example's folder, in which `npm run build` was run if it has that
 */
export async function installExample(name: string): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'compconv-example-'));
  const folder = join(home, 'examples', name);
  const isSource = (path: string) => !/[/\\](node_modules|dist|models|images)$/.test(path);
  await cp(join(root, 'examples', name), folder, { recursive: true, filter: isSource });
  await symlink(join(root, 'public'), join(home, 'public'), 'junction');

  const own = await readManifest(folder);
  const wanted = Object.keys({ ...own.dependencies, ...own.devDependencies });
  await installPackage(folder, wanted.filter((name) => name !== 'compconv-webgpu'));
  if (own.scripts?.['build']) await npm(folder, 'run', 'build');
  return folder;
}

export async function removeExample(folder: string): Promise<void> {
  await rm(join(folder, '../..'), { recursive: true, force: true });
}

export interface ServedExample {
  /** With a slash at the end. */
  readonly url: string;
  /** Requests so far, `GET /models/…`. */
  readonly requests: string[];
  /** Lets requests whose address has this wait, until `release()`. */
  hold(part: string): { release(): void };
  close(): Promise<void>;
}

/** Serves a folder of files, or what `listener` answers, under a Content-Security-Policy and without headers for isolation. */
export async function serveExample(what: string | RequestListener, policy = "default-src 'self'"): Promise<ServedExample> {
  const requests: string[] = [];
  const holds = new Map<string, Promise<void>>();
  const heldBack = ({ url }: IncomingMessage) => Promise.all([...holds].filter(([part]) => url!.includes(part)).map(([, held]) => held));
  const answer: RequestListener = typeof what === 'string' ? sirv(what, { dev: true, etag: true }) : what;
  const server = createServer(async (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    await heldBack(request);
    response.setHeader('Content-Security-Policy', policy);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    // By name: Chromium takes pages from localhost for secure, which WebGPU requires.
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    requests,
    hold(part) {
      let resume = () => {};
      holds.set(part, new Promise((resolve) => (resume = resolve)));
      return { release: () => (holds.delete(part), resume()) };
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface WatchedPage {
  readonly page: Page;
  /** Errors, logged or thrown; violations of the policy are among them. */
  readonly problems: string[];
  /** Values of the page's progress bar. */
  readonly progress: number[];
}

/** A page that is looked after from its first script on. */
export async function watchPage(browser: Browser): Promise<WatchedPage> {
  const page = await browser.newPage();
  const problems: string[] = [];
  const progress: number[] = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    const text = message.text();
    if (text.startsWith('progress: ')) progress.push(Number(text.slice('progress: '.length)));
    else if (message.type() === 'error' || message.type() === 'warning') problems.push(text);
  });
  await page.addInitScript(() => {
    const tell = (changes: MutationRecord[]) => changes.forEach(({ target }) => console.log(`progress: ${(target as HTMLProgressElement).value}`));
    new MutationObserver(tell).observe(document, { subtree: true, attributeFilter: ['value'] });
  });
  return { page, problems, progress };
}

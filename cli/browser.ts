/**
 * A headless Chromium with WebGPU, for benchmarks of the page and for the browser tests.
 *
 * The browser that `CHROME_PATH` names is the only one tried; else the machine's own Chrome, Chromium or Edge comes first, then
 * the one of the dev dependency `@sparticuz/chromium`. In each a GPU comes first, then Chromium's built-in SwiftShader. Each try
 * ends with asking a page for an adapter, since a browser that starts may still have none.
 */

import { accessSync, constants, existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import type { Browser, BrowserType } from 'playwright-core';
import { findChromiumPackage } from './chromium-package.ts';
import { describeAdapter, isSoftwareAdapter } from '../src/runtime/adapter-info.ts';
import { hasGpuDevice } from './vulkan-driver.ts';
import { CompConvError } from '../src/errors.ts';

export interface GpuBrowser {
  browser: Browser;
  executable: string;
  /** The adapter in words, as in Node. */
  describe: string;
  isSoftware: boolean;
  close(): Promise<void>;
}

interface Candidate {
  executable: string;
  env?: Record<string, string>;
}

const QUIET = ['--disable-background-networking', '--disable-component-update', '--disable-sync'];
const SOFTWARE = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
/** On Linux a headless Chromium draws without Vulkan unless told, and WebGPU needs it. */
const HARDWARE =
  process.platform === 'linux'
    ? ['--enable-unsafe-webgpu', '--use-angle=vulkan', '--enable-features=Vulkan', '--disable-vulkan-surface']
    : ['--enable-unsafe-webgpu'];

export interface LaunchOptions {
  /** Further flags of Chromium's. */
  readonly args?: readonly string[];
  /** Further flags where there is no GPU. */
  readonly softwareArgs?: readonly string[];
}

/** Launches a browser in which `navigator.gpu.requestAdapter()` gives an adapter; `CHROME_PATH` names the browser. */
export async function launchBrowser({ args = [], softwareArgs = [] }: LaunchOptions = {}): Promise<GpuBrowser> {
  const chromium = await loadPlaywright();
  const failures: string[] = [];
  for await (const candidate of candidates()) {
    for (const name of hasGpuDevice() ? (['GPU', 'software'] as const) : (['software'] as const)) {
      const outcome = await tryLaunch(chromium, candidate, [...QUIET, ...args, ...(name === 'GPU' ? HARDWARE : [...SOFTWARE, ...softwareArgs])]);
      if (typeof outcome !== 'string') return outcome;
      failures.push(`${candidate.executable} (${name}): ${outcome}`);
    }
  }
  throw new CompConvError(
    'webgpu-unavailable',
    `no browser with WebGPU; install Chrome or Chromium 113 or newer, or set CHROME_PATH to one` +
      (failures.length ? `\n  ${failures.join('\n  ')}` : ' (found none)'),
  );
}

/** Loaded when a browser is wanted: whoever wants none need not have it. @throws io */
async function loadPlaywright(): Promise<BrowserType> {
  try {
    return (await import('playwright-core')).chromium;
  } catch (cause) {
    throw new CompConvError('io', 'driving a browser takes the package playwright-core, which is not installed: npm install playwright-core', { cause });
  }
}

/** Starts the browser and asks for an adapter; a string says why there is none. */
async function tryLaunch(chromium: BrowserType, { executable, env }: Candidate, args: string[]): Promise<GpuBrowser | string> {
  let browser: Browser;
  try {
    browser = await chromium.launch({
      executablePath: executable,
      args,
      ...(env ? { env: { ...(process.env as Record<string, string>), ...env } } : {}),
    });
  } catch (error) {
    return `does not start: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`;
  }
  try {
    const info = await probeAdapter(browser);
    if (info) {
      return {
        browser,
        executable,
        describe: describeAdapter(info),
        isSoftware: isSoftwareAdapter(info),
        close: () => browser.close(),
      };
    }
  } catch (error) {
    await browser.close().catch(() => {});
    return `fails: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`;
  }
  await browser.close();
  return 'has no WebGPU adapter';
}

async function probeAdapter(browser: Browser): Promise<GPUAdapterInfo | undefined> {
  const page = await browser.newPage();
  try {
    // A secure context without a server.
    await page.route('http://localhost/', (route) => route.fulfill({ contentType: 'text/html', body: '' }));
    await page.goto('http://localhost/');
    const info = await page.evaluate(async () => {
      const adapter = await navigator.gpu?.requestAdapter({ powerPreference: 'high-performance' });
      if (!adapter) return undefined;
      const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info;
      return { vendor, architecture, device, description, isFallbackAdapter };
    });
    return info as GPUAdapterInfo | undefined;
  } finally {
    await page.close();
  }
}

async function* candidates(): AsyncGenerator<Candidate> {
  if (process.env['CHROME_PATH']) return yield { executable: process.env['CHROME_PATH'] };
  const executable = systemBrowsers().find(isExecutable);
  if (executable) yield { executable };
  const bundled = await bundledBrowser();
  if (bundled) yield bundled;
}

/** The usual places, stable versions first. */
function systemBrowsers(): string[] {
  if (process.platform === 'darwin') {
    const places = ['/Applications', join(process.env['HOME'] ?? '', 'Applications')];
    const names = ['Google Chrome', 'Chromium', 'Microsoft Edge', 'Google Chrome Canary'];
    return names.flatMap((name) => places.map((place) => `${place}/${name}.app/Contents/MacOS/${name}`));
  }
  if (process.platform === 'win32') {
    const places = ['ProgramFiles', 'ProgramFiles(x86)', 'LocalAppData'].flatMap((name) => process.env[name] ?? []);
    const names = ['Google/Chrome', 'Chromium', 'Microsoft/Edge'];
    return names.flatMap((name) =>
      places.map((place) => join(place, name, 'Application', name.endsWith('Edge') ? 'msedge.exe' : 'chrome.exe')),
    );
  }
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter(Boolean);
  const names = ['google-chrome-stable', 'google-chrome', 'chromium', 'chromium-browser', 'microsoft-edge'];
  return [
    ...names.flatMap((name) => folders.map((folder) => join(folder, name))),
    '/opt/google/chrome/chrome',
    '/usr/lib/chromium/chromium',
    '/snap/bin/chromium',
  ];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The dev dependency's browser, with the libraries and fonts that a bare machine lacks. */
async function bundledBrowser(): Promise<Candidate | undefined> {
  const found = await findChromiumPackage();
  if (!found) return undefined;
  const folder = await found.unpack('chromium', 'swiftshader', 'libraries', 'fonts');
  const libraries = [join(folder, 'lib'), process.env['LD_LIBRARY_PATH']].filter(Boolean).join(delimiter);
  const env: Record<string, string> = { LD_LIBRARY_PATH: libraries };
  // The package's own fonts.conf names folders of the service that it was made for.
  if (!existsSync('/etc/fonts/fonts.conf')) env['FONTCONFIG_FILE'] = await writeFontConfig(folder);
  return { executable: join(folder, 'chromium'), env };
}

async function writeFontConfig(folder: string): Promise<string> {
  const path = join(folder, 'fontconfig', 'fonts.conf');
  await mkdir(dirname(path), { recursive: true });
  await writeFile(
    path,
    `<?xml version="1.0"?>
<fontconfig>
  <dir>${join(folder, 'fonts')}</dir>
  <cachedir>${join(folder, 'fontconfig', 'cache')}</cachedir>
</fontconfig>
`,
  );
  return path;
}

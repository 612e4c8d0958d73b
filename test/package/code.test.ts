/** The built code: what a strict Content-Security-Policy, a server, or a bare installation would trip over. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { importsOf } from '../support/bundle.ts';
import { installPackage, packedPackage, readManifest, type Manifest } from '../support/package.ts';
import { runNode, type Outcome } from '../support/run-node.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** Library files by their path in `dist/`; the command line is a program for Node, and no page's. */
const files = new Map<string, string>();
let manifest: Manifest;
/** An app with the package, its dependencies and nothing else. */
let app: string;

beforeAll(async () => {
  const { folder } = await packedPackage();
  manifest = await readManifest(folder);
  const paths = (await readdir(join(folder, 'dist'), { recursive: true })).filter((path) => path.endsWith('.mjs') && path !== 'cli.mjs');
  for (const path of paths) files.set(path, await readFile(join(folder, 'dist', path), 'utf8'));
  app = await mkdtemp(join(tmpdir(), 'compconv-app-'));
  await installPackage(app);
});
afterAll(() => rm(app, { recursive: true, force: true }));

test.each([
  ['code from strings', /\beval\s*\(|\bnew Function\b|\bFunction\s*\(|\bset(Timeout|Interval)\s*\(\s*['"`]/],
  ['blob: addresses', /\bblob:|\bcreateObjectURL\b/],
  ['WebAssembly of its own', /\bWebAssembly\b|\.wasm\b/],
  ['scripts or styles put into the page', /\bimportScripts\b|\binnerHTML\b|\bcreateElement\((?![`'"]canvas)/],
  ['addresses elsewhere', /\bhttps?:\/\/(?!localhost\/|[\w.-]+\.invalid\/)/],
  ['paths of the machine that built it', /\bfile:\/\/|\/(home|Users|tmp|work)\//],
])('no %s', (_what, pattern) => {
  const found = [...files].flatMap(([path, code]) => {
    const match = pattern.exec(code);
    return match ? [`${path}: …${code.slice(Math.max(match.index - 60, 0), match.index + 60)}…`] : [];
  });
  expect(found).toEqual([]);
});

test('imports its own files, its dependencies, and optional packages only when they are used', async () => {
  const { folder } = await packedPackage();
  const problems: string[] = [];
  for (const [path, code] of files) {
    const imports = importsOf(path, code);
    const isOwn = (name: string) => name.startsWith('.') && existsSync(join(folder, 'dist', path, '..', name));
    const packageOf = (name: string) => name.split('/')[0];
    const isNode = (name: string) => path === 'node.mjs' && name.startsWith('node:');
    const isDependency = (name: string) => Object.keys(manifest.dependencies!).includes(name);
    const isForNode = (name: string) => path === 'chunks/wasm-session.mjs' && /^\w+$/.test(name);
    const isOptional = (name: string) => manifest.peerDependenciesMeta![packageOf(name)]?.optional === true;
    for (const name of imports.static) if (!isOwn(name) && !isNode(name) && !isDependency(name)) problems.push(`${path} imports ${name}`);
    for (const name of imports.dynamic) if (!isOwn(name) && !isOptional(name) && !isForNode(name)) problems.push(`${path} may import ${name}`);
  }
  expect(problems).toEqual([]);
});

describe('in a bare Node', () => {
  /** Runs a module in the app's folder, without code from strings. */
  async function start(source: string): Promise<Outcome> {
    await writeFile(join(app, 'module.mjs'), source);
    return runNode(['--disallow-code-generation-from-strings', 'module.mjs'], undefined, { cwd: app });
  }

  /** What it logs, as JSON. */
  async function run(source: string): Promise<unknown> {
    const { status, stdout, stderr } = await start(source);
    if (status !== 0) throw new Error(stderr.slice(-2000));
    return JSON.parse(stdout);
  }

  /** Tells of every global that is asked for, and only `typeof` may: what is not there cannot be read. */
  const WATCH = `
    const touched = [];
    const names = ['navigator', 'document', 'window', 'self', 'location', 'caches', 'indexedDB', 'localStorage', 'Worker', 'Image', 'ImageBitmap',
      'OffscreenCanvas', 'GPU', 'GPUDevice', 'GPUBufferUsage', 'GPUTextureUsage', 'GPUShaderStage', 'GPUMapMode', 'GPUBuffer', 'GPUTexture'];
    for (const name of names) Object.defineProperty(globalThis, name, { configurable: true, get: () => void touched.push(name) });`;

  test('importing any entry touches nothing that only a browser has', async () => {
    const entries = Object.keys(manifest.exports!).filter((path) => path !== './package.json');
    expect(entries).toEqual(['.', './onnx', './worker', './node']);
    const source = `${WATCH}
      const keys = {};
      for (const entry of ${JSON.stringify(entries)}) keys[entry] = Object.keys(await import('compconv-webgpu' + entry.slice(1))).length;
      console.log(JSON.stringify({ touched, keys }));`;
    expect(await run(source)).toEqual({ touched: [], keys: { '.': expect.any(Number), './onnx': 1, './worker': 3, './node': 3 } });
  });

  test('a server counts and plans networks', async () => {
    const source = `${WATCH}
      const { createNetwork, networkCost, printPlan, schedule, DEFAULT_LIMITS } = await import('compconv-webgpu');
      const graph = createNetwork({ arch: 'resnet50', c0: 128 });
      const plan = printPlan(schedule(graph, DEFAULT_LIMITS));
      console.log(JSON.stringify({ touched, macs: networkCost(graph).total.macs, plan: plan.length > 1000 }));`;
    expect(await run(source)).toEqual({ touched: [], macs: 1447670402, plan: true });
  });

  test('an error that nobody catches is printed with a line of code, not with a whole file', async () => {
    const { status, stderr } = await start("import { seededModel } from 'compconv-webgpu'; seededModel({ arch: 'resnet18' });");
    expect(status).toBe(1);
    expect(stderr).toContain('CompConvError: seed must be an integer');
    expect(stderr.length).toBeLessThan(2000);
  });

  test('errors say which optional package is missing, and are of one class in all entries', async () => {
    const source = `
      import { CompConvError, createNetwork, createSession, seededModel, seededWeights } from 'compconv-webgpu';
      import { exportOnnx } from 'compconv-webgpu/onnx';
      import { decodeImage, openGpu } from 'compconv-webgpu/node';
      import * as worker from 'compconv-webgpu/worker';
      const attempts = {
        openGpu: () => openGpu(),
        decodeImage: () => decodeImage(new Uint8Array(8)),
        createSession: () => createSession(seededModel({ arch: 'resnet18' }, 1)),
        exportOnnx: async () => exportOnnx(createNetwork({ arch: 'resnet18' }), seededWeights(new Map(), 1)),
      };
      const errors = {};
      for (const [name, attempt] of Object.entries(attempts)) {
        errors[name] = await attempt().catch((error) => (error instanceof CompConvError ? error.code + ': ' + error.message : String(error)));
      }
      console.log(JSON.stringify({ ...errors, isOne: worker.CompConvError === CompConvError }));`;
    expect(await run(source)).toEqual({
      openGpu: expect.stringMatching(/^webgpu-unavailable: .*npm install webgpu/),
      decodeImage: expect.stringMatching(/^\S+: .*npm install sharp/),
      createSession: expect.stringMatching(/^webgpu-unavailable: /),
      exportOnnx: expect.stringMatching(/^invalid-weights: /),
      isOne: true,
    });
  });
});

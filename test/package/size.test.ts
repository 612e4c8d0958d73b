/** How much of the package an app loads, gzipped: all of it, what is used of it, and what comes only when it is used. */
import { describe, expect, test, vi } from 'vitest';
import { contentsOf, esbuildBundle, gzippedBytes, unbundled, viteBundle, type Bundle } from '../support/bundle.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const KIB = 1024;

/** Files of the package that hold kernels, or what runs them. */
const ENGINE = ['engine', 'images', 'gpu-transfer', 'trial', 'tuner', 'self-test'];
/** Files that are loaded only when they are used. */
const LAZY = ['images', 'gpu-transfer', 'tuner', 'trial', 'self-test', 'sha2', 'wasm-session', 'export', 'wgpu-matrix.module'];

interface App {
  readonly code: string;
  /** The most bytes that it loads at first as Vite bundles it. */
  readonly most: number;
  /** The most bytes of all it can ever load, as one file by esbuild. */
  readonly mostInOne: number;
  /** Files that it must not contain. */
  readonly without: readonly string[];
}

/** Limits are a little above what was measured. */
const apps: Readonly<Record<string, App>> = {
  'the whole engine': { code: "export * from 'compconv-webgpu'", most: 58 * KIB, mostInOne: 93.1 * KIB, without: LAZY },
  'loadModel and run': {
    code: "import { loadModel } from 'compconv-webgpu'; console.log(await (await loadModel('model')).run(globalThis.input));",
    most: 55.2 * KIB,
    mostInOne: 92 * KIB,
    without: LAZY,
  },
  'readModel, createSession and run': {
    code: "import { createSession, readModel } from 'compconv-webgpu'; console.log(await (await createSession(await readModel('model'))).run(globalThis.input));",
    most: 54.5 * KIB,
    mostInOne: 82.2 * KIB,
    without: LAZY,
  },
  parseSafetensors: {
    code: "import { parseSafetensors } from 'compconv-webgpu'; console.log(parseSafetensors(globalThis.bytes));",
    most: 3.8 * KIB,
    mostInOne: 2.9 * KIB,
    without: [...LAZY, ...ENGINE],
  },
  'a network and its cost': {
    code: "import { createNetwork, networkCost } from 'compconv-webgpu'; console.log(networkCost(createNetwork(globalThis.options)));",
    most: 8.3 * KIB,
    mostInOne: 5.5 * KIB,
    without: [...LAZY, ...ENGINE],
  },
  'connect to a worker': {
    code: "import { connect } from 'compconv-webgpu/worker'; console.log(connect(globalThis.worker));",
    most: 6.3 * KIB,
    mostInOne: 4.4 * KIB,
    without: [...LAZY, ...ENGINE, 'networks'],
  },
  exportOnnx: {
    code: "import { exportOnnx } from 'compconv-webgpu/onnx'; console.log(exportOnnx(globalThis.graph, globalThis.weights));",
    most: 10.5 * KIB,
    mostInOne: 10.5 * KIB,
    without: ENGINE,
  },
};

describe.each(Object.entries(apps))('%s', (name, { code, most, mostInOne, without }) => {
  const check = (how: string, { first, lazy }: Bundle, limit: number) => {
    console.log(`${name}, ${how}: ${gzippedBytes(first)} bytes gzipped in ${first.length} file(s) at first, ${gzippedBytes(lazy)} in ${lazy.length} later`);
    expect(gzippedBytes(first)).toBeLessThan(limit);
  };

  test('bundled by Vite', async () => {
    const bundle = await viteBundle(code);
    check('by Vite', bundle, most);
    expect(bundle.first.length).toBeLessThanOrEqual(3);
    expect(contentsOf(bundle.first).filter((part) => without.includes(part))).toEqual([]);
  });

  test('bundled by esbuild as one file', async () => {
    const bundle = await esbuildBundle(code);
    check('by esbuild', bundle, mostInOne);
    // Lazy parts of what is used are in it, too.
    if (without.includes('engine')) expect(contentsOf(bundle.first).filter((part) => without.includes(part))).toEqual([]);
  });
});

test('each lazy part is a file of its own', async () => {
  const { lazy } = await viteBundle(apps['loadModel and run'].code);
  expect(contentsOf(lazy)).toEqual(expect.arrayContaining(LAZY));
});

test.each([
  ['index', 66 * KIB, 6, LAZY],
  ['worker', 69.5 * KIB, 6, LAZY],
  ['connect', 10.5 * KIB, 4, ENGINE],
  ['onnx', 22 * KIB, 4, ENGINE],
])('%s.mjs as it is, without a bundler', async (entry, most, files, without) => {
  const first = await unbundled(entry);
  console.log(`${entry}.mjs: ${gzippedBytes(first)} bytes gzipped in ${first.length} files at first`);
  expect(gzippedBytes(first)).toBeLessThan(most);
  expect(first.length).toBeLessThanOrEqual(files);
  expect(contentsOf(first).filter((part) => without.includes(part))).toEqual([]);
});

/**
 * Vite and Vitest. `vite` serves and builds the pages (`dist/page`), `vite build --mode lib` builds the library (a file for each
 * of its entries, and `dist/chunks/` of what they share), `vite build --mode cli` the command line (`dist/cli.mjs`, one file), and
 * the tests fall into projects by what they need.
 */

import { existsSync } from 'node:fs';
import { defaultClientConditions } from 'vite';
import { defineConfig } from 'vitest/config';
import { shortWgsl } from './scripts/short-wgsl.ts';

/**
 * The package's entries, `dist/<name>.mjs`; package.json's `exports` and tsconfig.types.json name them too, but for `connect`, which
 * is a part of `worker` apart from the engine, so that a page's bundle that only connects has none in it.
 */
const LIBRARY_ENTRIES = {
  index: 'src/index.ts',
  onnx: 'src/onnx/export.ts',
  worker: 'src/worker/worker.ts',
  connect: 'src/worker/connect.ts',
  node: 'src/node/node.ts',
};

/**
 * What entries and their lazy parts share, in few files, so that little is loaded one after the other without a bundler. A module
 * belongs to the first group that takes it, or whose modules import it. No group is loaded by those who do without it: a page that only
 * connects to a worker, or only exports ONNX, loads no engine.
 */
const LIBRARY_CHUNKS = {
  tensors: /src\/(errors|tensor\/.*|weights\/((write-)?safetensors|half))\.ts$/,
  networks: /src\/((ops|modules|graph|weights)\/.*|models\/(?!read-model).*|kernels\/affine|scheduler\/expand-modules)\.ts$/,
  inputs: /src\/(runtime\/session-input|bytes\/address)\.ts$/,
  engine: /src\/load\/load-model\.ts$/,
  images: /src\/vision\/(image-preprocessor|preprocess)\.ts$/,
};

const PYTHON_TESTS = 'test/train/python.test.ts';
const GPU_TESTS = 'test/**/*.gpu.test.ts';
const BROWSER_TESTS = 'test/**/*.browser.test.ts';
const MINUTE = 60_000;
const ISOLATION = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };

export default defineConfig(({ mode }) => ({
  // Relative addresses, so that the built page works in any folder of any server.
  base: './',
  optimizeDeps: {
    // Found beforehand: a dependency discovered later reloads the page, in the middle of a test.
    include: ['wgpu-matrix', '@observablehq/plot', 'd3-dsv', '@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-webgpu'],
    // Single files, which find their WebAssembly by their own address.
    exclude: ['onnxruntime-web'],
  },
  // In browsers, onnxruntime-web without the scripts of its WebAssembly, which are files of their own here.
  environments: { client: { resolve: { conditions: [...defaultClientConditions, 'onnxruntime-web-use-extern-wasm'] } } },
  worker: { format: 'es' as const, plugins: () => [shortWgsl()] },
  // Isolated from other origins: a clock with steps of 5 us, not 100, and threads for WebAssembly.
  server: { headers: ISOLATION },
  preview: { headers: ISOLATION },
  ...(mode === 'cli' ? { ssr: { noExternal: true, external: ['webgpu', 'sharp', 'playwright-core'] } } : {}),
  plugins: [shortWgsl()],
  build: mode === 'cli' ? cliBuild() : mode === 'lib' ? libraryBuild() : pageBuild(),
  test: {
    // Side by side, in this order. Three at a time, also on two cores: much of it is waiting, for a browser or for a software adapter, which
    // compiles on one core. Each file in a process of its own: Dawn holds its state for the whole process.
    pool: 'forks' as const,
    maxWorkers: 3,
    testTimeout: (process.env['COMPCONV_SOAK'] ? 60 : 5) * MINUTE,
    hookTimeout: 5 * MINUTE,
    projects: [
      // They run in Node, and drive a browser.
      project('browser', [BROWSER_TESTS], { globalSetup: 'test/support/unpack-browser.ts' }),
      project('gpu', [GPU_TESTS]),
      // Before the short ones.
      project('python', [PYTHON_TESTS]),
      project('unit', ['test/**/*.test.ts'], { exclude: [BROWSER_TESTS, GPU_TESTS, PYTHON_TESTS] }),
    ],
  },
}));

function pageBuild() {
  return {
    target: 'es2022',
    outDir: 'dist/page',
    emptyOutDir: true,
    rolldownOptions: { input: ['index.html', 'bench/index.html'].filter((path) => existsSync(path)) },
  };
}

/**
 * Relative imports between the files, so that they also run as they are, without a bundler. Minified for those, but
 * in lines: Node prints the line of an error that nobody caught. The notes on pure calls stay for bundlers, which leave out what an app
 * does not use.
 */
function libraryBuild() {
  return {
    target: 'es2022',
    lib: { entry: LIBRARY_ENTRIES, formats: ['es' as const], fileName: (_format: string, name: string) => `${name}.mjs` },
    outDir: 'dist',
    // The page and the command line lie in there too.
    emptyOutDir: false,
    copyPublicDir: false,
    rolldownOptions: {
      external: ['wgpu-matrix', 'webgpu', 'sharp', /^onnxruntime-web/, /^node:/],
      output: {
        chunkFileNames: 'chunks/[name].mjs',
        codeSplitting: { groups: Object.entries(LIBRARY_CHUNKS).map(([name, test], i) => ({ name, test, priority: 9 - i })) },
        minify: { compress: true, mangle: { keepNames: { function: false, class: true } }, codegen: { removeWhitespace: false } },
        comments: { annotation: true, legal: false, jsdoc: false },
      },
    },
  };
}

function cliBuild() {
  return {
    target: 'node20',
    ssr: 'cli/main.ts',
    outDir: 'dist',
    // The page lies in there too.
    emptyOutDir: false,
    copyPublicDir: false,
    minify: false,
    rolldownOptions: {
      output: { entryFileNames: 'cli.mjs', banner: '#!/usr/bin/env node', codeSplitting: false },
    },
  };
}

/** Vitest begins those of a project after the project whose name comes before in the alphabet. */
function project(name: string, include: string[], more: { exclude?: string[]; globalSetup?: string } = {}) {
  return { extends: true as const, test: { name, include, ...more } };
}

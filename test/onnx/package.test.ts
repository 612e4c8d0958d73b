/** The package as it is built and published: the ONNX export is an entry of its own, loaded only by those who ask for it. */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'vite';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { readModel } from '../../src/models/read-model.ts';
import { runReference } from '../../src/reference/run.ts';
import { expectClose } from '../support/compare.ts';
import { runOnnx } from '../support/onnx-runtime.ts';
import { distinctValues } from '../support/random.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
// Inside the repository, so that the dependency is found.
const folder = join(root, `node_modules/.cache/compconv/package-test-${process.pid}`);
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

beforeAll(async () => {
  await mkdir(folder, { recursive: true });
  await copyFile(join(root, 'package.json'), join(folder, 'package.json'));
  await symlink(join(root, 'public'), join(folder, 'public'));
  await build({ root, mode: 'lib', configFile: join(root, 'vite.config.ts'), logLevel: 'error', build: { outDir: join(folder, 'dist') } });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a module in the package's folder, where its name means itself; without code from strings, as a strict CSP wants it. */
async function node(source: string): Promise<string> {
  await writeFile(join(folder, 'module.mjs'), source);
  const flags = ['--disallow-code-generation-from-strings', 'module.mjs'];
  return (await promisify(execFile)(process.execPath, flags, { cwd: folder })).stdout;
}

/** A file of the package and all that it imports statically, by name. */
async function filesBehind(entry: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const open = async (path: string): Promise<void> => {
    if (files.has(path)) return;
    const code = await readFile(join(folder, 'dist', path), 'utf8');
    files.set(path, code);
    const imported = [...code.matchAll(/(?:\bfrom|\bimport)\s*["']([^"']+)["']/g)].map(([, name]) => name);
    for (const name of imported) if (name.startsWith('.')) await open(join(path, '..', name));
  };
  await open(entry);
  return files;
}

it('the engine holds nothing of the export, and the export nothing of the kernels', async () => {
  const engine = [...(await filesBehind('index.mjs')).values()].join('');
  expect(engine).toContain('@compute');
  expect(engine).not.toContain('BatchNormalization');
  const onnx = [...(await filesBehind('onnx.mjs')).values()].join('');
  expect(onnx).not.toContain('@compute');
});

it('the README’s example, as it stands', async () => {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const [, example] = /run by test\/onnx\/package\.test\.ts[^]*?```ts\n([^]*?)```/.exec(readme)!;
  await node(example);
  const { graph, weights } = await readModel(await readFile(join(root, 'public/models/fashion-mnist-compconv.safetensors')));
  const input = { shape: [1, 1, 28, 28], data: distinctValues(784, 2) };
  const { data } = await runOnnx(await readFile(join(folder, 'model.onnx')), input);
  expectClose(data, runReference(graph, weights, input).get(graph.output)!.data, { relativeL2: 1e-5 });
});

it('errors of either entry are of one class', async () => {
  const source = `
    import { CompConvError, createNetwork, seededWeights } from 'compconv-webgpu';
    import { exportOnnx } from 'compconv-webgpu/onnx';
    try {
      exportOnnx(createNetwork({ arch: 'resnet18' }), seededWeights(new Map(), 1));
    } catch (error) {
      console.log(error instanceof CompConvError, error.code);
    }`;
  expect(await node(source)).toBe('true invalid-weights\n');
});

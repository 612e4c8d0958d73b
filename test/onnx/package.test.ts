/** `compconv-webgpu/onnx` as it is published, beside the engine. */
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { readModel } from '../../src/models/read-model.ts';
import { runReference } from '../../src/reference/run.ts';
import { expectClose } from '../support/compare.ts';
import { runOnnx } from '../support/onnx-runtime.ts';
import { installPackage } from '../support/package.ts';
import { distinctValues } from '../support/random.ts';
import { runNode } from '../support/run-node.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
let folder: string;
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'compconv-onnx-'));
  await installPackage(folder);
  await symlink(join(root, 'public'), join(folder, 'public'), 'junction');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a module in the app's folder; what it prints. */
async function node(source: string): Promise<string> {
  await writeFile(join(folder, 'module.mjs'), source);
  const { status, stdout, stderr } = await runNode(['module.mjs'], undefined, { cwd: folder });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

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

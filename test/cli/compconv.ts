/** The bundled command line for the tests: a child process with arguments, output and an exit status. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect } from 'vitest';
import { createNetwork, type NetworkOptions } from '../../src/models/network.ts';
import { graphParams, withInputShape, type Graph } from '../../src/graph/graph.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { writeSafetensors } from '../../src/weights/write-safetensors.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import type { Weights } from '../../src/weights/weights.ts';
import { runNode } from '../support/run-node.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
// Inside the repository, so that the bundle finds `webgpu` and `sharp`.
const bundleFolder = join(root, `node_modules/.cache/compconv/cli-test-${process.pid}`);
export const bundle = join(bundleFolder, 'cli.mjs');
export let folder: string;

export const compconv = (...args: string[]) => runNode([bundle, ...args]);

/** Runs it with `--json`; fails unless that goes well and prints one object and nothing else. */
export async function json(...args: string[]): Promise<Record<string, any>> {
  const { status, stdout, stderr } = await compconv(...args, '--json');
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return JSON.parse(stdout) as Record<string, any>;
}

/** Fails unless it ends with the status and one line on standard error. */
export async function expectFailure(status: number, message: string | RegExp, ...args: string[]): Promise<void> {
  const outcome = await compconv(...args);
  expect(outcome.stderr).toMatch(message);
  expect(outcome.stderr).toMatch(/^compconv: [^\n]+\n$/);
  expect({ status: outcome.status, stdout: outcome.stdout }).toEqual({ status, stdout: '' });
}

export const at = (name: string) => join(folder, name);

export async function file(name: string, content: string | Uint8Array): Promise<string> {
  await writeFile(at(name), content);
  return at(name);
}

export function seededNetwork(options: NetworkOptions, seed: number): { graph: Graph; weights: Weights } {
  const graph = createNetwork(options);
  return { graph, weights: seededWeights(graphParams(graph), seed) };
}

/** The reference's logits, of any input size. */
export function reference({ graph, weights }: { graph: Graph; weights: Weights }, input: Tensor): Tensor {
  const [n, c, h, w] = input.shape;
  const sized = withInputShape(graph, { n, h, w, c });
  return toTensor(runReference(sized, weights, input).get(sized.output)!);
}

/** Unsigned bytes as an IDX file. */
export function idx(shape: readonly number[], data: readonly number[]): Uint8Array {
  const header = new DataView(new ArrayBuffer(4 + 4 * shape.length));
  header.setUint32(0, 0x0800 + shape.length);
  shape.forEach((size, i) => header.setUint32(4 + 4 * i, size));
  return Uint8Array.from([...new Uint8Array(header.buffer), ...data]);
}

/** Plain, so that it has few pipelines to compile: a software adapter takes a while for each. */
export const SMALL: NetworkOptions = { arch: 'resnet_small14', widths: [5, 6, 8], blocksPerStage: 1 };
export const small = seededNetwork(SMALL, 3);
export const PREPROCESS = { size: 28, mean: [0.25], std: [0.5], color: 'gray' };
export const LABELS = Array.from({ length: 10 }, (_, i) => `kind ${i}`);

/** Builds the command and makes a folder with a small network in it, before the tests of a file; removes both after them. */
export function useCompconv(): void {
  beforeAll(async () => {
    await mkdir(bundleFolder, { recursive: true });
    folder = await mkdtemp(join(tmpdir(), 'compconv-cli-'));
    const built = await runNode([
      join(root, 'node_modules/vite/bin/vite.js'),
      'build',
      '--mode',
      'cli',
      '--outDir',
      bundleFolder,
    ]);
    expect(built.status, built.stderr).toBe(0);
    await file(
      'small.safetensors',
      writeSafetensors(
        [...small.weights.shapes.keys()].map((name) => [name, small.weights.get(name)]),
        { compconv: JSON.stringify(SMALL), preprocess: JSON.stringify(PREPROCESS), labels: JSON.stringify(LABELS) },
      ),
    );
  });

  afterAll(async () => {
    await rm(bundleFolder, { recursive: true, force: true });
    if (folder) await rm(folder, { recursive: true });
  });
}

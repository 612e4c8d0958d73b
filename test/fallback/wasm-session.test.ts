/** Without WebGPU, in Node: onnxruntime-web's own build for it computes what the reference does. In pages: test/load, test/worker. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-web';
import { expect, test, vi, type MockInstance } from 'vitest';
import { loadModel, readModel, type CompConvError } from '../../src/index.ts';
import { runReference } from '../../src/reference/run.ts';
import { installPackage } from '../support/package.ts';
import { distinctValues } from '../support/random.ts';
import { runNode } from '../support/run-node.ts';
import { smallModelFile } from '../support/small-model.ts';

vi.setConfig({ testTimeout: 60_000 });

const file = smallModelFile();
const image = { shape: [1, 1, 28, 28], data: distinctValues(784, 1) };

async function expectLogits(values: Iterable<number>): Promise<void> {
  const { graph, weights } = await readModel(file);
  const expected = runReference(graph, weights, image).get(graph.output)!.data;
  const differences = [...values].map((value, i) => Math.abs(value - expected[i]));
  expect(differences).toHaveLength(expected.length);
  for (const difference of differences) expect(difference).toBeLessThan(1e-4);
}

test('runs tensors and images', async () => {
  const session = await loadModel(file, { backend: 'wasm' });
  await expectLogits((await session.run(image)).data);
  const pixels = { width: 28, height: 28, data: new Uint8Array(28 * 28 * 4) };
  expect(await session.classify(pixels, { topK: 2 })).toHaveLength(2);
  await expect(session.classify([pixels, pixels] as never)).rejects.toMatchObject({ code: 'invalid-argument' });
  session.dispose();
});

test('disposed of at any moment, a run rejects or has come to its end, and nothing is left', async () => {
  const releases: MockInstance[] = [];
  const create = InferenceSession.create as (...args: unknown[]) => Promise<InferenceSession>;
  const creating = vi.spyOn(InferenceSession, 'create').mockImplementation(async (...args: unknown[]) => {
    const session = await create(...args);
    releases.push(vi.spyOn(session, 'release'));
    return session;
  });
  const pixels = { width: 40, height: 30, data: new Uint8Array(4 * 40 * 30).fill(77) };
  const otherSize = { shape: [1, 1, 32, 30], data: new Float32Array(960) };
  for (const input of [image, otherSize, [pixels, pixels, pixels]]) {
    for (let moment = 0; moment < 15; moment++) {
      const session = await loadModel(file, { backend: 'wasm' });
      const runs = [session.run(input), session.run(image)].map((run) => run.then(() => 'done', ({ name, code }: CompConvError) => `${name} ${code}`));
      for (let i = 0; i < moment; i++) await null;
      session.dispose();
      session.dispose();
      for (const outcome of await Promise.all(runs)) expect(outcome).toMatch(moment === 0 ? /^CompConvError disposed$/ : /^done$|^CompConvError disposed$/);
      await expect(session.run(image)).rejects.toMatchObject({ code: 'disposed' });
      for (const release of releases.splice(0)) expect(release).toHaveBeenCalledOnce();
    }
  }
  creating.mockRestore();
});

test('so it does as it is published, without a test runner, and lets the program end', async () => {
  const app = await mkdtemp(join(tmpdir(), 'compconv-wasm-'));
  try {
    await installPackage(app, ['onnxruntime-web']);
    await writeFile(join(app, 'model.safetensors'), file);
    await writeFile(join(app, 'module.mjs'), `
      import { loadModel } from 'compconv-webgpu';
      import { fileBlob } from 'compconv-webgpu/node';
      const session = await loadModel(await fileBlob('model.safetensors'), { fallback: 'wasm' });
      const { data } = await session.run({ shape: [1, 1, 28, 28], data: Float32Array.from(${JSON.stringify([...image.data])}) });
      session.dispose();
      console.log(JSON.stringify([session.backend, ...data]));`);
    const { status, stdout, stderr } = await runNode(['module.mjs'], undefined, { cwd: app });
    expect(status, stderr).toBe(0);
    const [backend, ...logits] = JSON.parse(stdout) as [string, ...number[]];
    expect(backend).toBe('wasm');
    await expectLogits(logits);
  } finally {
    await rm(app, { recursive: true });
  }
});

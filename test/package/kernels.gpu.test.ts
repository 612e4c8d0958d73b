/** The shortened kernels of the built package compile, those too that no adapter here would choose, and compute what the sources' do. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as sources from '../../src/index.ts';
import * as sourceKernels from '../support/all-kernels.ts';
import { useGpu } from '../support/gpu.ts';
import { packedPackage } from '../support/package.ts';
import { distinctValues } from '../support/random.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const gpu = useGpu();
let folder: string;
let built: typeof sourceKernels;
let packed: typeof sources;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'compconv-kernels-'));
  await build({
    root,
    mode: 'lib',
    configFile: join(root, 'vite.config.ts'),
    logLevel: 'error',
    build: { outDir: folder, lib: { entry: { kernels: 'test/support/all-kernels.ts' } }, rolldownOptions: { external: [] } },
  });
  built = (await import(/* @vite-ignore */ pathToFileURL(join(folder, 'kernels.mjs')).href)) as typeof sourceKernels;
  packed = (await import(/* @vite-ignore */ pathToFileURL(join((await packedPackage()).folder, 'dist/index.mjs')).href)) as typeof sources;
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('every kernel compiles, with its host side’s entry points and overrides', async () => {
  const { device } = gpu.engine;
  expect(built.allKernels.map(({ name }) => name)).toEqual(sourceKernels.allKernels.map(({ name }) => name));
  const problems: string[] = [];
  for (const [i, kernel] of built.allKernels.entries()) {
    for (const dtype of ['f32', ...(device.features.has('shader-f16') ? ['f16' as const] : [])] as const) {
      const code = built.moduleCode(kernel, dtype);
      const { messages } = await device.createShaderModule({ code }).getCompilationInfo();
      problems.push(...messages.filter(({ type }) => type === 'error').map(({ message }) => `${kernel.name} ${dtype}: ${message}`));
    }
    expect(hostNames(kernel.code), kernel.name).toEqual(hostNames(sourceKernels.allKernels[i].code));
    expect(kernel.code.length, kernel.name).toBeLessThan(sourceKernels.allKernels[i].code.length * 0.6);
  }
  expect(problems).toEqual([]);
});

/** Names that the host says: of entry points, overrides, and where things are bound. */
function hostNames(code: string): string[] {
  const plain = code.replace(/\/\/.*$/gm, '');
  return [...plain.matchAll(/\boverride\s+(\w+)|@compute[^{]*?\bfn\s+(\w+)|@binding\((\d+)\)/g)].flatMap(([, ...names]) => names.filter(Boolean));
}

test('image kernels compile for every kind of image', async () => {
  const kernels = new built.PreprocessKernels(gpu.engine.device, 'f32');
  for (const kind of ['bytes', 'floats', 'linear', 'video'] as const) await kernels.pipelines(kind);
});

const NETWORKS: readonly [name: string, options: sources.NetworkOptions, size: number, withoutPasses?: readonly sources.PassName[]][] = [
  ['ResNet18', { arch: 'resnet18' }, 64],
  ['CompConv32-ResNetSmall14 with BatchNorm inside', { arch: 'resnet_small14', c0: 32, inner: 'bn-relu', shuffleGroups: 4 }, 28],
  ['CompConv64-ResNetSmall14, pass by pass', { arch: 'resnet_small14', c0: 64 }, 28, ['free-shuffle', 'zero-copy-concat', 'scale-tails', 'free-slices']],
];

test.each(NETWORKS)('%s computes the same', async (_name, network, size, withoutPasses) => {
  const run = async ({ seededModel, createSession }: typeof sources) => {
    const model = seededModel(network, 3, { height: size, width: size });
    const session = await createSession(model, { device: gpu.engine.device, ...(withoutPasses && { withoutPasses }) });
    const [{ h, w, c }] = model.graph.shapes.values();
    const { data } = await session.run({ shape: [1, c, h, w], data: distinctValues(c * h * w, 5) });
    session.dispose();
    return data;
  };
  expect(await run(packed)).toEqual(await run(sources));
});

test('an image becomes the same logits', async () => {
  const image = { width: 90, height: 70, data: Uint8Array.from({ length: 90 * 70 * 4 }, (_, i) => (i * 7919) % 251) };
  const run = async ({ createSession, seededModel }: typeof sources) => {
    const session = await createSession(seededModel({ arch: 'resnet_small14' }, 1), { device: gpu.engine.device });
    const { data } = await session.run(image, { flip: true });
    session.dispose();
    return data;
  };
  expect(await run(packed)).toEqual(await run(sources));
});

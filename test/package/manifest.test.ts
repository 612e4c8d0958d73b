/** What npm would publish: its package.json, the files, and the types, by the tools that authors use for that. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { installPackage, packedPackage, readManifest, type Manifest, type PackedPackage } from '../support/package.ts';
import { runNode } from '../support/run-node.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const root = fileURLToPath(new URL('../..', import.meta.url));
let packed: PackedPackage;
let manifest: Manifest;
let paths: string[];
let app: string;

beforeAll(async () => {
  packed = await packedPackage();
  manifest = await readManifest(packed.folder);
  const entries = await readdir(packed.folder, { recursive: true, withFileTypes: true });
  const all = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(packed.folder.length + 1));
  paths = all.map((path) => path.replaceAll('\\', '/'));
  app = await mkdtemp(join(tmpdir(), 'compconv-types-'));
  await installPackage(app);
});
afterAll(() => rm(app, { recursive: true, force: true }));

test('publint has nothing to say', async () => {
  const { messages } = await publint({ pack: { tarball: new Uint8Array(await readFile(packed.tarball)).buffer }, strict: true });
  expect(messages).toEqual([]);
});

test('“Are the types wrong?” finds nothing wrong, for ES modules', async () => {
  const { status, stdout } = await runNode(['node_modules/@arethetypeswrong/cli/dist/index.js', packed.tarball, '--profile', 'esm-only', '--no-color']);
  expect(status, stdout).toBe(0);
  for (const entry of ['', '/onnx', '/worker', '/node']) expect(stdout).toContain(`"compconv-webgpu${entry}"`);
});

test('the tarball holds entries, their chunks and types, and nothing else', () => {
  const others = paths.filter((path) => !/^dist\/(types\/[\w/-]+\.d\.ts|chunks\/[\w-]+\.mjs|(index|onnx|worker|connect|node|cli)\.mjs)$/.test(path));
  expect(others.sort()).toEqual(['LICENSE', 'README.md', 'package.json']);
  // Of rooms that no entry reaches.
  expect(paths.filter((path) => /^dist\/types\/(page|cli|bench|test)\//.test(path))).toEqual([]);
});

test('nothing in it names the machine that built it', async () => {
  for (const path of paths) expect(await readFile(join(packed.folder, path), 'utf8'), path).not.toContain(root);
});

test('ES modules, types first, no side effects, one dependency; what else there is to install is optional', () => {
  expect(manifest).toMatchObject({ type: 'module', sideEffects: false });
  expect(manifest).not.toHaveProperty('main');
  expect(manifest.scripts).not.toHaveProperty('postinstall');
  for (const [path, target] of Object.entries(manifest.exports!)) {
    if (path === './package.json') continue;
    expect(Object.keys(target), path).toEqual(['types', 'import']);
  }
  expect(Object.keys(manifest.dependencies!)).toEqual(['wgpu-matrix']);
  expect(manifest.peerDependenciesMeta).toEqual(Object.fromEntries(Object.keys(manifest.peerDependencies!).map((name) => [name, { optional: true }])));
});

test.each(['bundler', 'nodenext'])('its types are right in a strict app that checks them, too: %s', async (moduleResolution) => {
  await writeFile(join(app, 'package.json'), '{ "type": "module" }');
  const compilerOptions = {
    strict: true,
    noEmit: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    target: 'es2022',
    lib: ['es2022', 'dom'],
    types: [],
    module: moduleResolution === 'bundler' ? 'esnext' : 'nodenext',
    moduleResolution,
  };
  await writeFile(join(app, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['app.ts'] }));
  await writeFile(
    join(app, 'app.ts'),
    `import { GraphBuilder, loadModel, type Conv2dAttrs, type ConvOptions, type Dtype, type Session, type Tensor } from 'compconv-webgpu';
     import { exportOnnx } from 'compconv-webgpu/onnx';
     import { connect, serve, type Classification, type ConnectOptions, type LoadProgress, type RemoteSession, type Tensor as RemoteTensor } from 'compconv-webgpu/worker';
     import { decodeImage, fileBlob, openGpu } from 'compconv-webgpu/node';
     const session: Session = await loadModel('model.safetensors', { cache: true, onProgress: ({ phase, done, total }) => console.log(phase, done / total) });
     const scores: Float32Array = (await session.run({ shape: [1, 3, 224, 224], data: new Float32Array(3 * 224 * 224) })).data;
     const [signal, maxBytes] = [session, session].map(() => undefined) as [AbortSignal?, number?];
     await loadModel('model.safetensors', { signal, maxBytes, cache: undefined, device: undefined, tuning: undefined, batch: undefined, fallback: undefined });
     await session.run([], { signal, flip: undefined });
     await session.tune({ signal, cache: undefined });
     await session.selfTest({ signal });
     const dtype: Dtype = session.dtype;
     const conv: ConvOptions = { kernelSize: 3 };
     const attrs: Conv2dAttrs = { op: 'conv2d', outChannels: 1, kernelSize: 3, stride: 1, padding: 0, groups: 1, bias: false };
     new GraphBuilder().node('conv', attrs, new GraphBuilder().conv2d('conv', 'x', 1, conv));
     const options: ConnectOptions = { timeoutMs: 1 };
     const onProgress = ({ done }: LoadProgress): void => console.log(done, dtype, options);
     export const remote = async (far: RemoteSession): Promise<[RemoteTensor, Classification[]]> => [await far.run(await session.run([])), await far.classify(new Blob())];
     export const same = (tensor: Tensor): readonly [RemoteTensor, typeof onProgress] => [tensor, onProgress];
     // @ts-expect-error It is there by no other name.
     session.infer;
     export { connect, decodeImage, exportOnnx, fileBlob, openGpu, scores, serve, type RemoteSession };`,
  );
  const { status, stdout } = await runNode([join(root, 'node_modules/typescript/bin/tsc'), '-p', app]);
  expect(status, stdout).toBe(0);
});

/**
 * onnxruntime-web on WebGPU, in either layout: with its commands captured once and replayed, and input and output on the
 * GPU, where that works; else with less, saying why.
 */
import { exportOnnx } from '../../src/onnx/export.ts';
import { download } from './download.ts';
import { startOrt, webGpuBuild, type Ort } from './ort-library.ts';
import { createGpuSession, createHostSession } from './ort-session.ts';
import { definePeer, reasonOf, requireAdapter, type Peer, type PeerNetwork, type PeerRunner } from './peer.ts';

/** The browser validates all the same. */
const WEBGPU = { name: 'webgpu', validationMode: 'disabled' } as const;
const LAYOUTS = ['NHWC', 'NCHW'] as const;

/** @throws webgpu-unavailable, io */
export async function openOrtWeb(): Promise<Peer> {
  const build = webGpuBuild();
  const library = `onnxruntime-web, ${build.name}`;
  await requireAdapter(library);
  // Threads would only help what the GPU does not compute, which is nothing.
  const { value: ort, ...times } = await download(library, () => startOrt(build, 1, WEBGPU));
  return definePeer({
    name: 'ort-web',
    title: `onnxruntime-web ${ort.env.versions.web}, ${build.name}`,
    ...times,
    settings: LAYOUTS,
    create: (setting, network) => createRunner(ort, setting as (typeof LAYOUTS)[number], network),
  });
}

/** The best that works. @throws Error where nothing does, with the reason of each way */
export async function createRunner(ort: Ort, preferredLayout: (typeof LAYOUTS)[number], network: PeerNetwork): Promise<PeerRunner> {
  const { input } = network;
  const start = performance.now();
  const onnx = exportOnnx(network.graph, network.weights);
  const exportMs = performance.now() - start;
  const options = { executionProviders: [{ ...WEBGPU, preferredLayout }] } as const;
  const ways = [
    { what: 'graph capture, input and output on the GPU', create: () => createGpuSession(ort, onnx, options, input, true) },
    { what: 'input and output on the GPU', create: () => createGpuSession(ort, onnx, options, input, false) },
    { what: 'input and output on the host', create: () => createHostSession(ort, onnx, options, input) },
  ];
  const notes: string[] = [];
  for (const { what, create } of ways) {
    try {
      const { run, release, adapter, load } = await create();
      const setting = `${preferredLayout}, ${what}`;
      return { setting, notes, load: { exportMs, ...load }, ...(adapter && { adapter }), run: (given = input) => run(given), dispose: release };
    } catch (cause) {
      notes.push(`${what}: ${reasonOf(cause)}`);
    }
  }
  throw new Error(notes.join('; '));
}

/** onnxruntime-web on the processor: WebAssembly with SIMD, on as many threads as the machine has where threads are allowed. */
import { exportOnnx } from '../../src/onnx/export.ts';
import { download } from './download.ts';
import { startOrt, wasmBuild } from './ort-library.ts';
import { createHostSession } from './ort-session.ts';
import { definePeer, type Peer } from './peer.ts';

/** @throws io */
export async function openOrtWasm(): Promise<Peer> {
  // Threads share memory, which a page may do only where it is isolated from other origins.
  const threads = self.crossOriginIsolated ? navigator.hardwareConcurrency : 1;
  const { value: ort, ...times } = await download('onnxruntime-web, WASM', () => startOrt(wasmBuild, threads, 'wasm'));
  return definePeer({
    name: 'ort-wasm',
    title: `onnxruntime-web ${ort.env.versions.web}, WASM`,
    ...times,
    settings: [`${threads} ${threads === 1 ? 'thread' : 'threads'}`],
    async create(setting, { graph, weights, input }) {
      const start = performance.now();
      const onnx = exportOnnx(graph, weights);
      const exportMs = performance.now() - start;
      const { run, release, load } = await createHostSession(ort, onnx, { executionProviders: ['wasm'] }, input);
      return { setting, notes: [], load: { exportMs, ...load }, run: (given = input) => run(given), dispose: release };
    },
  });
}

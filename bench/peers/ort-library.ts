/**
 * The builds of onnxruntime-web in use, each with its WebAssembly from the page's own server: nothing comes from elsewhere.
 *
 * For WebGPU there are two builds of one engine, which differ in how WebAssembly waits for a promise: by JSPI where the
 * browser has it, else by asyncify, which makes the whole engine bigger and slower. The third one, the package's default
 * with kernels in JavaScript (JSEP), is on its way out and not measured.
 */
import type * as ort from 'onnxruntime-web';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { exportOnnx } from '../../src/onnx/export.ts';
import asyncifyMjsUrl from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url';
import asyncifyWasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import jspiMjsUrl from 'onnxruntime-web/ort-wasm-simd-threaded.jspi.mjs?url';
import jspiWasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.jspi.wasm?url';
import mjsUrl from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';

export type Ort = typeof ort;
export type ExecutionProvider = ort.InferenceSession.ExecutionProviderConfig;

export interface OrtBuild {
  /** For people. */
  readonly name: string;
  readonly library: () => Promise<Ort>;
  readonly mjsUrl: string;
  readonly wasmUrl: string;
}

const jspi: OrtBuild = { name: 'WebGPU (JSPI)', library: () => import('onnxruntime-web/jspi'), mjsUrl: jspiMjsUrl, wasmUrl: jspiWasmUrl };
const asyncify: OrtBuild = {
  name: 'WebGPU (asyncify)',
  library: () => import('onnxruntime-web/webgpu'),
  mjsUrl: asyncifyMjsUrl,
  wasmUrl: asyncifyWasmUrl,
};

export const wasmBuild: OrtBuild = { name: 'WASM', library: () => import('onnxruntime-web/wasm'), mjsUrl, wasmUrl };

/** The better of the two that this browser can run. */
export function webGpuBuild(): OrtBuild {
  return 'Suspending' in WebAssembly ? jspi : asyncify;
}

/** Loads a build and starts it. */
export async function startOrt({ library, mjsUrl, wasmUrl }: OrtBuild, threads: number, executionProvider: ExecutionProvider): Promise<Ort> {
  const [ort, wasmBinary] = await Promise.all([library(), fetchBytes(wasmUrl)]);
  // Of WebAssembly only the bytes matter here; they are fetched above, so that it is known how long that takes.
  Object.assign(ort.env.wasm, { numThreads: threads, wasmBinary, wasmPaths: { mjs: new URL(mjsUrl, self.location.href).href } });
  ort.env.webgpu.powerPreference = 'high-performance';
  ort.env.logLevel = 'error';
  // It starts, and takes its device, with its first session: one of no network, so that none pays for that. It stays, as the device does.
  const g = new GraphBuilder();
  g.relu('relu', g.input({ n: 1, h: 1, w: 1, c: 1 }));
  const nothing = { shapes: new Map(), get: () => ({ shape: [], data: new Float32Array() }) };
  await ort.InferenceSession.create(exportOnnx(g.build('start'), nothing), { executionProviders: [executionProvider] });
  return ort;
}

async function fetchBytes(url: string): Promise<ArrayBuffer> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: the server answered ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

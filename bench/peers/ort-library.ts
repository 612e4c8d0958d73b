/**
 * The builds of onnxruntime-web in use, each with its WebAssembly from the page's own server: nothing comes from elsewhere.
 *
 * For WebGPU there are two builds of one engine, which differ in how WebAssembly waits for a promise: by JSPI where the
 * browser has it, else by asyncify, which makes the whole engine bigger and slower. The third one, the package's default
 * with kernels in JavaScript (JSEP), is on its way out and not measured.
 */
import type * as ort from 'onnxruntime-web';
import asyncifyMjsUrl from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url';
import asyncifyWasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';
import jspiMjsUrl from 'onnxruntime-web/ort-wasm-simd-threaded.jspi.mjs?url';
import jspiWasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.jspi.wasm?url';
import mjsUrl from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';

export type Ort = typeof ort;

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

/** Loads a build and sets it up; it starts with its first session. */
export async function loadOrt({ library, mjsUrl, wasmUrl }: OrtBuild, threads: number): Promise<Ort> {
  const [ort, wasmBinary] = await Promise.all([library(), fetchBytes(wasmUrl)]);
  // Of WebAssembly only the bytes matter here; they are fetched above, so that it is known how long that takes.
  Object.assign(ort.env.wasm, { numThreads: threads, wasmBinary, wasmPaths: { mjs: new URL(mjsUrl, self.location.href).href } });
  ort.env.webgpu.powerPreference = 'high-performance';
  ort.env.logLevel = 'error';
  return ort;
}

async function fetchBytes(url: string): Promise<ArrayBuffer> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: the server answered ${response.status} ${response.statusText}`);
  return response.arrayBuffer();
}

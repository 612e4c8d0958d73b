/**
 * From a file to a network that runs, in one go: weights go to the GPU as they arrive, and nowhere else, so that a large file takes
 * little memory of JavaScript. Where there is no GPU the same network can be run on the processor instead.
 */
import { CompConvError } from '../errors.ts';
import { checkBytes, type FetchOptions } from '../bytes/byte-source.ts';
import { onlyMore, pastDamagedCopies } from '../bytes/caching.ts';
import { bytesOf, byteSource, describeModel, type ModelSource, type ReadOptions } from '../models/read-model.ts';
import { describeAdapter, isSoftwareAdapter } from '../runtime/adapter-info.ts';
import type { AdapterDescription } from '../runtime/device.ts';
import { DeviceSource } from '../runtime/device-source.ts';
import { Session } from '../runtime/session.ts';
import type { SessionOptions } from '../runtime/session-options.ts';
import { parseSafetensors, type SafetensorsFile } from '../weights/safetensors.ts';
import { collectWeights, openSafetensors } from '../weights/safetensors-source.ts';
import type { WasmSession } from '../fallback/wasm-session.ts';

/** What `loadModel` is doing: `done` of `total`, in bytes of the file, then in pipelines. Neither ever decreases. */
export interface LoadProgress {
  readonly phase: 'download' | 'compile';
  readonly done: number;
  readonly total: number;
}

/** What to load, how, and where to run it: all that `readModel` and `createSession` take. */
export interface LoadModelOptions extends Omit<ReadOptions, 'onProgress'>, Omit<SessionOptions, 'onProgress'> {
  readonly onProgress?: ((progress: LoadProgress) => void) | undefined;
  /** See `FallbackOptions`. */
  readonly fallback?: undefined;
  readonly backend?: 'webgpu' | undefined;
}

/** For whoever may also run on the processor, by onnxruntime-web's WebAssembly, an optional package that is loaded only then. */
export interface FallbackOptions extends Omit<LoadModelOptions, 'fallback' | 'backend'> {
  /** `wasm` is taken where there is no WebGPU, or only an adapter that computes on the processor. Without it there is an error, or the slow adapter. */
  readonly fallback?: 'wasm' | undefined;
  /** `wasm` is taken whatever there is; after `selfTest()` found a GPU to compute something else, for example. Default `webgpu`. */
  readonly backend?: LoadedModel['backend'] | undefined;
}

/** What `loadModel` gives where it may fall back; `backend` tells them apart. */
export type LoadedModel = Session | WasmSession;

/**
 * Loads a network from a `.safetensors` file and puts it on the GPU, ready to run. After the device was lost, or for an input of
 * another size, the file is read again: from the cache, else from its address, where it has to be the same.
 * @throws io, integrity, invalid-file, invalid-weights (every missing and unexpected tensor is named), invalid-argument, limit-exceeded,
 * webgpu-unavailable, gpu-validation, out-of-memory, device-lost, aborted
 */
export async function loadModel(source: ModelSource, options?: LoadModelOptions): Promise<Session>;
/** With `fallback` or `backend` it may be a session of another kind; its `backend` tells which. @throws io, too, where onnxruntime-web is not installed */
export async function loadModel(source: ModelSource, options: FallbackOptions): Promise<LoadedModel>;
export async function loadModel(source: ModelSource, options: LoadModelOptions | FallbackOptions = {}): Promise<LoadedModel> {
  const { fallback, backend = 'webgpu' } = options;
  if (fallback !== undefined && fallback !== 'wasm') {
    throw new CompConvError('invalid-argument', `fallback must be "wasm", got ${JSON.stringify(fallback)}`);
  }
  if (backend !== 'webgpu' && backend !== 'wasm') {
    throw new CompConvError('invalid-argument', `backend must be "webgpu" or "wasm", got ${JSON.stringify(backend)}`);
  }
  const progress = inOrder(options.onProgress);
  const loadBecause = (reason?: string) => pastDamagedCopies(() => load(source, options, progress, reason));
  if (backend === 'wasm') return loadBecause("`backend: 'wasm'` was asked for");
  if (!fallback) return loadBecause();
  const devices = DeviceSource.share(options);
  try {
    return await loadBecause(await whyNoGpu(devices, options));
  } finally {
    devices.release();
  }
}

/** @param insteadBecause why it is not to run on the GPU */
async function load(
  source: ModelSource,
  options: FallbackOptions,
  { onBytes, onPipelines }: ReturnType<typeof inOrder>,
  insteadBecause: string | undefined,
): Promise<LoadedModel> {
  const { signal } = options;
  const bytes = bytesOf(source);
  const file = bytes ? await openBytes(bytes, options, onBytes) : await openSafetensors(byteSource(source as string, options), { signal, onProgress: onBytes });
  try {
    const { options: _options, ...described } = describeModel(file, { ...options, onProgress: undefined } as ReadOptions);
    if (insteadBecause === undefined) {
      return await Session.create({ ...described, weights: file }, { ...options, onProgress: ({ phase, done, total }) => phase === 'compile' && onPipelines(done, total) });
    }
    const weights = 'get' in file ? file : await collectWeights(file, signal);
    const { WasmSession } = await import('../fallback/wasm-session.ts');
    return await WasmSession.create({ ...described, weights }, insteadBecause, signal);
  } catch (error) {
    if ('close' in file) await file.close();
    throw error;
  }
}

/** A file that is there as a whole: nothing of it has to come. */
async function openBytes(bytes: Uint8Array, options: FetchOptions, onBytes: (done: number, total: number) => void): Promise<SafetensorsFile> {
  await checkBytes(bytes, options);
  onBytes(bytes.length, bytes.length);
  return parseSafetensors(bytes);
}

/** Why WebGPU would not be worth it; undefined if it is. The device opened for that is then the session's, unless that wants its own. */
async function whyNoGpu(devices: DeviceSource, { device, adapter, ownDevice }: FallbackOptions): Promise<string | undefined> {
  // An adapter gives one device, which is for the session to request.
  if (ownDevice && adapter && !device) return whySlow({ name: describeAdapter(adapter.info), isSoftware: isSoftwareAdapter(adapter.info) });
  try {
    return whySlow((await devices.open()).engine.adapter);
  } catch (error) {
    if (error instanceof CompConvError && error.code === 'webgpu-unavailable') return error.message;
    throw error;
  }
}

function whySlow({ name, isSoftware }: Pick<AdapterDescription, 'name' | 'isSoftware'>): string | undefined {
  return isSoftware ? `${name} computes on the processor` : undefined;
}

/** Both go on at the same time; people are told of compilation when the download is done. For all tries together, so that nothing decreases. */
function inOrder(onProgress: FallbackOptions['onProgress']) {
  const tellBytes = onlyMore((done, total: number) => onProgress?.({ phase: 'download', done, total }));
  const tellPipelines = onlyMore((done, total: number) => onProgress?.({ phase: 'compile', done, total }));
  let isDownloaded = false;
  let waiting: readonly [done: number, total: number] | undefined;
  return {
    onBytes(done: number, total: number) {
      tellBytes(done, total);
      isDownloaded = done === total;
      if (isDownloaded && waiting) tellPipelines(...waiting);
    },
    onPipelines(done: number, total: number) {
      waiting = [done, total];
      if (isDownloaded) tellPipelines(done, total);
    },
  };
}

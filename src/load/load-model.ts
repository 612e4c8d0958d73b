/**
 * From a file to a network that runs, in one go: weights go to the GPU as they arrive, and nowhere else, so that a large file takes
 * little memory of JavaScript. Where there is no GPU the same network can be run on the processor instead.
 */
import { CompConvError } from '../errors.ts';
import { pastDamagedCopies } from '../bytes/caching.ts';
import { bytesOf, byteSource, describeModel, type ModelSource, type ReadOptions } from '../models/read-model.ts';
import { DeviceSource } from '../runtime/device-source.ts';
import { Session, type SessionOptions } from '../runtime/session.ts';
import { checkBytes } from '../bytes/integrity.ts';
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
  const reason = backend === 'wasm' ? "`backend: 'wasm'` was asked for" : fallback && (await whyNoGpu(options));
  return pastDamagedCopies(() => load(source, options, reason));
}

/** @param insteadBecause why it is not to run on the GPU */
async function load(source: ModelSource, options: FallbackOptions, insteadBecause: string | undefined): Promise<LoadedModel> {
  const { signal } = options;
  const { onBytes, onPipelines } = inOrder(options.onProgress);
  const bytes = bytesOf(source);
  const file = bytes ? await openBytes(bytes, options.integrity, onBytes) : await openSafetensors(byteSource(source as string, options), { signal, onProgress: onBytes });
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
async function openBytes(bytes: Uint8Array, integrity: string | undefined, onBytes: (done: number, total: number) => void): Promise<SafetensorsFile> {
  await checkBytes(bytes, integrity);
  onBytes(bytes.length, bytes.length);
  return parseSafetensors(bytes);
}

/** Why WebGPU would not be worth it; undefined if it is. */
async function whyNoGpu(options: FallbackOptions): Promise<string | undefined> {
  const devices = DeviceSource.share(options);
  try {
    const { engine } = await devices.open();
    return engine.adapter.isSoftware ? `${engine.adapter.name} computes on the processor` : undefined;
  } catch (error) {
    if (error instanceof CompConvError && error.code === 'webgpu-unavailable') return error.message;
    throw error;
  } finally {
    // Of use to the session that comes next, if there is one.
    setTimeout(() => devices.release());
  }
}

/** Both go on at the same time; people are told of compilation when the download is done. */
function inOrder(onProgress: FallbackOptions['onProgress']) {
  let isDownloaded = false;
  let waiting: LoadProgress | undefined;
  return {
    onBytes(done: number, total: number) {
      onProgress?.({ phase: 'download', done, total });
      isDownloaded = done === total;
      if (isDownloaded && waiting) onProgress?.(waiting);
    },
    onPipelines(done: number, total: number) {
      waiting = { phase: 'compile', done, total };
      if (isDownloaded) onProgress?.(waiting);
    },
  };
}

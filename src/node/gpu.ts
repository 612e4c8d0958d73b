/**
 * WebGPU for Node by Dawn, the optional package `webgpu`. Takes the adapter that Dawn finds by itself: it arranges no drivers.
 */
import { CompConvError } from '../errors.ts';
import { pollGently } from './gentle-polling.ts';

/** For `openGpu`. */
export interface OpenGpuOptions {
  /** Dawn's start-up flags, for example `enable-dawn-features=allow_unsafe_apis`. */
  readonly flags?: readonly string[] | undefined;
  /**
   * Dawn learns what has finished by asking, again and again: a core at full load while anything is awaited, which on a software adapter
   * is missed elsewhere. With this a wait that has taken 50 ms is asked for once in a millisecond; for that, `globalThis.setImmediate` is
   * wrapped, for good, and other callers notice nothing. Default true.
   */
  readonly pollGently?: boolean | undefined;
}

/** Every GPU made, for the life of the process: Node crashes when Dawn's object is collected while something still uses it. */
const kept: GPU[] = [];

/**
 * Loads Dawn and gives what browsers call `navigator.gpu`, for the `gpu` option of a session. Puts WebGPU's constants and classes
 * (`GPUBufferUsage` and the like) on `globalThis`, where they are not there yet. Each call makes a GPU of its own, which
 * lives as long as the process, so one call is enough.
 * @throws webgpu-unavailable where the package is not installed or does not load
 */
export async function openGpu({ flags = [], pollGently: gently = true }: OpenGpuOptions = {}): Promise<GPU> {
  const { create, globals } = await importDawn();
  if (gently) pollGently();
  for (const [name, value] of Object.entries(globals)) {
    // Names of the DOM that Node has itself, such as Event, stay Node's.
    if (!(name in globalThis)) Object.assign(globalThis, { [name]: value });
  }
  const gpu = create([...flags]);
  kept.push(gpu);
  return gpu;
}

async function importDawn(): Promise<typeof import('webgpu')> {
  try {
    return await import('webgpu');
  } catch (cause) {
    const reason = (cause as Error).message.split('\n')[0];
    throw new CompConvError(
      'webgpu-unavailable',
      `cannot load the npm package "webgpu" (WebGPU for Node): ${reason}. Install it with: npm install webgpu`,
      { cause },
    );
  }
}

/**
 * A WebGPU device for the engine: the caller's own, or one requested with every limit and feature that helps. Knows its
 * limits and name, and turns the GPU's error reports into typed errors.
 */
import { CompConvError, type ErrorCode } from '../errors.ts';
import type { ScheduleLimits } from '../scheduler/schedule.ts';
import { describeAdapter, isSoftwareAdapter } from './adapter-info.ts';

/** Which GPU. The first one given is taken: `device`, `adapter`, `gpu`; without any of them it is the browser's. */
export interface DeviceOptions {
  /**
   * A device of the caller's, or a function that gives one and is asked again when it was lost. It is used as it is and never
   * destroyed.
   */
  readonly device?: GPUDevice | (() => GPUDevice | Promise<GPUDevice>) | undefined;
  /** An adapter of the caller's; a device of our own is requested from it, which it gives once: for another session after that pass another adapter. */
  readonly adapter?: GPUAdapter | undefined;
  /** Where to ask for an adapter. Default `navigator.gpu`. */
  readonly gpu?: GPU | undefined;
  /** Default `high-performance`. */
  readonly powerPreference?: GPUPowerPreference | undefined;
}

/** The limits that decide what fits, as WebGPU names them. */
export interface DeviceLimits {
  readonly maxBufferSize: number;
  readonly maxStorageBufferBindingSize: number;
  readonly maxStorageBuffersPerShaderStage: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  readonly maxTextureDimension2D: number;
}

const REPORTED_LIMITS: readonly (keyof DeviceLimits)[] = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
  'maxTextureDimension2D',
];

/** The adapter behind a session, for people and reports. */
export interface AdapterDescription {
  /** One line, e.g. `nvidia-h100 (nvidia, hopper)`. */
  readonly name: string;
  /** It computes on the processor: right, but slow. */
  readonly isSoftware: boolean;
  readonly vendor: string;
  readonly architecture: string;
  /** What the browser tells of device and driver; mostly nothing. */
  readonly device: string;
  readonly description: string;
  readonly driver: string;
  readonly features: readonly string[];
  /** Of the device in use; the adapter may have more. */
  readonly limits: DeviceLimits;
}

export interface EngineDevice {
  readonly device: GPUDevice;
  readonly adapter: AdapterDescription;
  /** What plans are made for. */
  readonly limits: ScheduleLimits;
  /** Whether `timestamp-query` is there. */
  readonly hasTimestamps: boolean;
  /** Whether it is lost. */
  readonly isLost: boolean;
  /**
   * What `work` gives, or `device-lost` as soon as the device is lost. What goes wrong because of that without saying so is reported
   * as `device-lost` too.
   */
  whileAlive<T>(work: Promise<T>): Promise<T>;
  /** Calls `listener` once, with `device-lost`, when the device is lost. @returns what ends that */
  onLost(listener: (error: CompConvError) => void): () => void;
  /** Destroys the device, if it is ours. */
  release(): void;
}

/** Limits worth asking for beyond the defaults; each is requested as high as the adapter has it. */
const USEFUL_LIMITS = ['maxBufferSize', 'maxStorageBufferBindingSize', 'maxStorageBuffersPerShaderStage', 'maxTextureDimension2D'] as const;
const USEFUL_FEATURES: readonly GPUFeatureName[] = ['timestamp-query', 'subgroups', 'shader-f16'];

/** Opens a device. @throws webgpu-unavailable where there is no WebGPU or no adapter. */
export async function openDevice(options: DeviceOptions = {}): Promise<EngineDevice> {
  const { device } = options;
  if (device) return wrapDevice(typeof device === 'function' ? await device() : device, false);
  const adapter = options.adapter ?? (await requestAdapter(options));
  const requiredFeatures = USEFUL_FEATURES.filter((feature) => adapter.features.has(feature));
  const requiredLimits = Object.fromEntries(USEFUL_LIMITS.map((limit) => [limit, adapter.limits[limit]]));
  try {
    return wrapDevice(await adapter.requestDevice({ label: 'compconv-webgpu', requiredFeatures, requiredLimits }), true, adapter.info);
  } catch (cause) {
    const advice = options.adapter ? 'an adapter gives one device: request another adapter' : 'reload the page or restart the browser';
    throw new CompConvError('webgpu-unavailable', `the adapter ${describeAdapter(adapter.info)} gave no device: ${(cause as Error).message}; ${advice}`, { cause });
  }
}

async function requestAdapter({ gpu, powerPreference = 'high-performance' }: DeviceOptions): Promise<GPUAdapter> {
  // Looked up here and not at import, so that the package can be imported where there is no navigator.
  const source = gpu ?? (globalThis.navigator as Navigator | undefined)?.gpu;
  if (!source) {
    throw new CompConvError(
      'webgpu-unavailable',
      'WebGPU is not available here: use a browser that has it (Chrome or Edge 113, Safari 26, Firefox 141 or newer) over ' +
        'https or localhost; in Node pass `gpu: await openGpu()`, of compconv-webgpu/node',
    );
  }
  const adapter = await source.requestAdapter({ powerPreference });
  if (!adapter) {
    throw new CompConvError(
      'webgpu-unavailable',
      'WebGPU is there but offers no adapter: update the graphics driver, or enable hardware acceleration in the browser; ' +
        'in Node a Vulkan driver must be installed (Mesa 24 or newer has one for the processor)',
    );
  }
  return adapter;
}

function wrapDevice(device: GPUDevice, owned: boolean, info: Partial<GPUAdapterInfo> = device.adapterInfo ?? {}): EngineDevice {
  const loss = watchLoss(device);
  const isSoftware = isSoftwareAdapter(info);
  const limits = Object.fromEntries(REPORTED_LIMITS.map((name) => [name, device.limits[name]])) as unknown as DeviceLimits;
  return {
    device,
    adapter: {
      name: describeAdapter(info),
      isSoftware,
      vendor: info.vendor ?? '',
      architecture: info.architecture ?? '',
      device: info.device ?? '',
      description: info.description ?? '',
      // Not in the standard: Chromium tells it where developer features are on.
      driver: (info as { readonly driver?: string }).driver ?? '',
      features: [...device.features].sort(),
      limits,
    },
    limits: { ...limits, isSoftware, hasQuads: isSoftware && device.features.has('subgroups') },
    hasTimestamps: device.features.has('timestamp-query'),
    get isLost() {
      return loss.error !== undefined;
    },
    whileAlive: (work) => loss.whileAlive(work),
    onLost: (listener) => loss.onLost(listener),
    release() {
      if (owned) device.destroy();
    },
  };
}

/** A lost device fails the work first, and says that it is lost a moment later. */
const LOSS_SHOWS_AFTER_MS = 50;

/** A device's end. A promise that lasts as long as the device would keep whatever was raced against it. */
function watchLoss(device: GPUDevice) {
  let error: CompConvError | undefined;
  const waiting = new Set<(error: CompConvError) => void>();
  void device.lost.then(({ reason, message }) => {
    error = new CompConvError('device-lost', `the GPU device was lost (${[reason, message].filter(Boolean).join(': ')})`);
    for (const listener of waiting) {
      try {
        listener(error);
      } catch (slip) {
        reportSlip(slip);
      }
    }
    waiting.clear();
  });
  const onLost = (listener: (error: CompConvError) => void) => {
    waiting.add(listener);
    return () => void waiting.delete(listener);
  };
  const untilLost = <T>(work: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      if (error) reject(error);
      void work.then(resolve, reject).finally(onLost(reject));
    });
  return {
    onLost,
    get error() {
      return error;
    },
    async whileAlive<T>(work: Promise<T>): Promise<T> {
      try {
        return await untilLost(work);
      } catch (cause) {
        if (!(cause instanceof CompConvError) || OF_THE_GPU.includes(cause.code)) {
          await untilLost(new Promise((resolve) => setTimeout(resolve, LOSS_SHOWS_AFTER_MS)));
        }
        throw cause;
      }
    },
  };
}

/** What a listener of the app's threw: nobody's here to catch, so shown, and no reason to end a program or not to tell the others. */
function reportSlip(error: unknown): void {
  // Node has none.
  if (typeof globalThis.reportError === 'function') reportError(error);
  else console.error(error);
}

/** Codes of what the GPU says, which may say it because it is lost. */
const OF_THE_GPU: readonly ErrorCode[] = ['gpu-validation', 'out-of-memory'];

/**
 * Runs `work` and reports what the GPU refused in it as a typed error, instead of on the console only.
 * @throws gpu-validation, out-of-memory
 */
export async function withErrorScopes<T>(device: GPUDevice, what: string, work: () => T | Promise<T>): Promise<T> {
  const filters = ['validation', 'out-of-memory', 'internal'] as const;
  for (const filter of filters) device.pushErrorScope(filter);
  let outcome: { value: T } | { error: unknown };
  // Scopes nest by call order, so they are popped before anything is awaited.
  let pending: T | Promise<T>;
  try {
    pending = work();
  } catch (error) {
    pending = Promise.reject(error);
  }
  const scopes = [...filters].reverse().map((filter) => device.popErrorScope().then((error) => ({ filter, error }), () => ({ filter, error: null })));
  try {
    outcome = { value: await pending };
  } catch (error) {
    outcome = { error };
  }
  for (const { filter, error } of await Promise.all(scopes)) {
    if (!error) continue;
    if (filter === 'out-of-memory') {
      throw new CompConvError('out-of-memory', `${what}: the GPU is out of memory: ${error.message}; use a smaller batch, image or network`);
    }
    throw new CompConvError('gpu-validation', `${what}: the GPU refused a command: ${error.message}`);
  }
  if ('value' in outcome) return outcome.value;
  // What is mapped when it is created takes memory of the host as well.
  if (outcome.error instanceof RangeError) throw new CompConvError('out-of-memory', `${what}: ${outcome.error.message}`, { cause: outcome.error });
  throw outcome.error;
}

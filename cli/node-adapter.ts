/**
 * WebGPU in Node: opens Dawn (the `webgpu` package) and finds the best adapter there is, a GPU if possible, else a
 * software driver. The command line and the tests share it.
 */

import { CompConvError } from '../src/errors.ts';
import { openGpu } from '../src/node/gpu.ts';
import { describeAdapter, isSoftwareAdapter } from '../src/runtime/adapter-info.ts';
import { userDriverChoice, vulkanDrivers } from './vulkan-driver.ts';

export interface NodeGpu {
  gpu: GPU;
  adapter: GPUAdapter;
  /** For people, for example `swiftshader-device-subzero (google, swiftshader), software`. */
  describe: string;
  /** The adapter computes on the processor: right, but slow. */
  isSoftware: boolean;
}

/** The GPU object in use, which all calls share. There is nothing to close: `openGpu` keeps its objects, devices are destroyed by their owners. */
let shared: GPU | undefined;

/** Calls run one after another, since each changes the environment for a moment. */
let last: Promise<unknown> = Promise.resolve();

/** Finds an adapter; also puts the WebGPU constants (`GPUBufferUsage` and the like) on `globalThis`. */
export function openNodeGpu(): Promise<NodeGpu> {
  const opened = last.then(open);
  last = opened.catch(() => {});
  return opened;
}

async function open(): Promise<NodeGpu> {
  const fresh = await shared?.requestAdapter({ powerPreference: 'high-performance' });
  if (shared && fresh) return describeGpu(shared, fresh);

  const tried: string[] = [];
  for await (const driver of vulkanDrivers()) {
    // Dawn asks the drivers once for each GPU object, at its first request. Put back, so that no child inherits it.
    const restore = setEnvironment(driver.env);
    try {
      const gpu = await openGpu();
      const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
      if (adapter) {
        shared = gpu;
        return describeGpu(gpu, adapter);
      }
    } finally {
      restore();
    }
    tried.push(driver.name);
  }
  throw new CompConvError('webgpu-unavailable', adviceWithoutAdapter(tried));
}

function setEnvironment(env: Record<string, string>): () => void {
  const before = Object.keys(env).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, env);
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  };
}

function describeGpu(gpu: GPU, adapter: GPUAdapter): NodeGpu {
  return {
    gpu,
    adapter,
    describe: describeAdapter(adapter.info),
    isSoftware: isSoftwareAdapter(adapter.info),
  };
}

function adviceWithoutAdapter(tried: string[]): string {
  const choice = userDriverChoice();
  if (choice && tried.length) {
    const setting = `${choice}=${process.env[choice]}`;
    return `no WebGPU adapter: the Vulkan driver chosen by ${setting} gives none; correct or unset it`;
  }
  if (process.platform !== 'linux') {
    return 'no WebGPU adapter: the system offers no GPU that Dawn can use; update the graphics driver';
  }
  const what = tried.length
    ? `no Vulkan driver gives one (tried: ${tried.join(', ')})`
    : 'there is no Vulkan loader (libvulkan.so.1)';
  return (
    `no WebGPU adapter: ${what}. Install the GPU's Vulkan driver and the loader (Debian, Ubuntu: libvulkan1), or, to ` +
    `compute on the processor, Mesa's lavapipe 24 or newer (mesa-vulkan-drivers) or the npm package @sparticuz/chromium`
  );
}

/**
 * Which Vulkan drivers a Node process on Linux can use, best first.
 *
 * Dawn (the `webgpu` package) asks the dynamic linker for `libvulkan.so.1`, the Vulkan loader, and the loader reads
 * `VK_DRIVER_FILES` each time an instance is made. Both can be arranged from inside a running process: a loader that
 * was loaded before, by its full path, is found again by its name, and `process.env` reaches the loader. So no second
 * process with a prepared `LD_LIBRARY_PATH` is needed.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { findChromiumPackage } from './chromium-package.ts';

export interface VulkanDriver {
  name: string;
  /** To be set in `process.env` while the GPU is looked up. */
  env: Record<string, string>;
}

/** Variables by which a user chooses drivers; where one is set, that choice stands. */
const USER_CHOICE = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'VK_ADD_DRIVER_FILES', 'VK_LOADER_DRIVERS_SELECT'];

/** The loader's own search folders for driver manifests. */
const MANIFEST_FOLDERS = ['/usr/local/etc', '/usr/local/share', '/etc', '/usr/share'].map((at) => `${at}/vulkan/icd.d`);

/** Vulkan header version that Mesa 24.0 was made with: Dawn refuses the lavapipe of older ones. */
const MESA_24_HEADER = 274;

/** The name of the variable with which the user has chosen Vulkan drivers, if any. */
export function userDriverChoice(): string | undefined {
  return USER_CHOICE.find((name) => process.env[name]);
}

/** Whether the kernel shows a GPU. Without one, asking hardware drivers only makes them complain on stderr. */
export function hasGpuDevice(): boolean {
  if (process.platform !== 'linux') return true;
  const list = (folder: string): string[] => {
    try {
      return readdirSync(folder);
    } catch {
      return [];
    }
  };
  // DRM render nodes; NVIDIA's own driver, Tegra; WSL; Adreno; Mali.
  return (
    list('/dev/dri').some((name) => name.startsWith('renderD')) ||
    list('/dev').some((name) => /^(nvidia(\d+|ctl)|nvgpu|nvhost-.*|dxg|kgsl-3d\d+|mali\d+)$/.test(name))
  );
}

/** The drivers to try in turn. On other systems there is one: whatever the system has. */
export async function* vulkanDrivers(): AsyncGenerator<VulkanDriver> {
  const system: VulkanDriver = { name: 'system', env: {} };
  if (process.platform !== 'linux') return yield system;
  if (!(await loadVulkanLoader())) return;
  if (userDriverChoice()) return yield system;

  const hardware = hasGpuDevice();
  if (hardware) yield system;
  const lavapipe = hardware ? undefined : findLavapipe();
  if (lavapipe) yield { name: 'lavapipe', env: driverFiles(lavapipe) };
  const chromium = await findChromiumPackage();
  if (chromium) {
    const folder = await chromium.unpack('swiftshader');
    yield { name: 'SwiftShader', env: driverFiles(join(folder, 'vk_swiftshader_icd.json')) };
  }
  // A device that `hasGpuDevice` does not know by name still gets its chance.
  if (!hardware) yield system;
}

/** Loaders before 1.3.207 know only the second name. */
function driverFiles(manifest: string): Record<string, string> {
  return { VK_DRIVER_FILES: manifest, VK_ICD_FILENAMES: manifest };
}

/** The manifest of an installed lavapipe that Dawn accepts. */
function findLavapipe(): string | undefined {
  for (const folder of MANIFEST_FOLDERS) {
    try {
      for (const name of readdirSync(folder)) {
        if (!/^lvp_icd\b.*\.json$/.test(name)) continue;
        const path = join(folder, name);
        const { ICD } = JSON.parse(readFileSync(path, 'utf8')) as { ICD: { api_version: string } };
        if (Number(ICD.api_version.split('.')[2]) >= MESA_24_HEADER) return path;
      }
    } catch {
      // A folder that is not there, or a manifest that cannot be read: no driver.
    }
  }
  return undefined;
}

/** Puts `libvulkan.so.1` into this process: the system's, else the one beside SwiftShader. */
async function loadVulkanLoader(): Promise<boolean> {
  if (preload('libvulkan.so.1')) return true;
  const chromium = await findChromiumPackage();
  return chromium !== undefined && preload(join(await chromium.unpack('swiftshader'), 'libvulkan.so.1'));
}

/**
 * Loads a shared library that is no Node addon. Node finds no addon in it, says so, and closes it again;
 * RTLD_NODELETE (in neither Node's constants nor POSIX, but the same on every Linux) keeps it in the process.
 */
function preload(library: string): boolean {
  const RTLD_NODELETE = 0x1000;
  try {
    process.dlopen({ exports: {} }, library, constants.dlopen.RTLD_NOW | RTLD_NODELETE);
    return true;
  } catch (error) {
    return error instanceof Error && /did not self-register/.test(error.message);
  }
}

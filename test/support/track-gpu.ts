/** A GPU whose devices keep count of what was created on them and not destroyed. Runs in Node and in browsers. */

export interface TrackedGpu {
  readonly gpu: GPU;
  /** Bytes of buffers and textures that were created and not destroyed, on devices that were not destroyed either. */
  bytes(): number;
  /** Buffers, textures and query sets, likewise. */
  objects(): number;
}

/** Bytes of a texel in the formats that the engine and its callers use. */
const TEXEL_BYTES: Partial<Record<GPUTextureFormat, number>> = { rgba8unorm: 4, r32float: 4, rgba32float: 16, rgba16float: 8, r32uint: 4 };

export function trackGpu(gpu: GPU): TrackedGpu {
  const alive = new Map<object, { readonly device: object; readonly bytes: number }>();

  function track(device: GPUDevice): GPUDevice {
    const add = <T extends { destroy(): undefined }>(object: T, bytes: number): T => {
      alive.set(object, { device, bytes });
      const destroy = object.destroy.bind(object);
      object.destroy = () => (alive.delete(object), destroy());
      return object;
    };
    const { createBuffer, createTexture, createQuerySet, destroy } = device;
    device.createBuffer = (descriptor) => add(createBuffer.call(device, descriptor), descriptor.size);
    device.createTexture = (descriptor) => add(createTexture.call(device, descriptor), textureBytes(descriptor));
    device.createQuerySet = (descriptor) => add(createQuerySet.call(device, descriptor), 0);
    const forget = () => [...alive].forEach(([object, owner]) => owner.device === device && alive.delete(object));
    device.destroy = () => (forget(), destroy.call(device));
    void device.lost.then(forget);
    return device;
  }

  const tracked = {
    async requestAdapter(options?: GPURequestAdapterOptions) {
      const adapter = await gpu.requestAdapter(options);
      if (!adapter) return null;
      const { requestDevice } = adapter;
      adapter.requestDevice = async (descriptor) => track(await requestDevice.call(adapter, descriptor));
      return adapter;
    },
  } as GPU;
  return {
    gpu: tracked,
    bytes: () => [...alive.values()].reduce((sum, { bytes }) => sum + bytes, 0),
    objects: () => alive.size,
  };
}

function textureBytes({ size, format, mipLevelCount = 1 }: GPUTextureDescriptor): number {
  const texel = TEXEL_BYTES[format];
  if (texel === undefined || mipLevelCount !== 1) throw new Error(`how many bytes is a texture of ${format} with ${mipLevelCount} levels?`);
  const [width, height = 1, layers = 1] = Symbol.iterator in size ? [...size] : [size.width, size.height, size.depthOrArrayLayers];
  return texel * width * height * layers;
}

/** Kernels that compute something else than they should, as on a broken driver: what must be noticed. */

/** The device, except that modules of that kernel get other code, with one place to store to and with parts. It must differ. */
export function withOtherCode(device: GPUDevice, kernel: string, rewrite: (code: string) => string): GPUDevice {
  return new Proxy(device, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (key === 'createShaderModule') {
        return (descriptor: GPUShaderModuleDescriptor) => {
          const isIt = descriptor.label === kernel || descriptor.label === `${kernel}-parts`;
          const code = isIt ? rewrite(descriptor.code) : descriptor.code;
          if (isIt && code === descriptor.code) throw new Error(`the code of ${kernel} stays as it is`);
          return target.createShaderModule({ ...descriptor, code });
        };
      }
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

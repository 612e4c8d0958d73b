/**
 * The package's entry for Node, `compconv-webgpu/node`: what a browser has and Node has not. Re-exports only; the packages behind
 * it, `webgpu` and `sharp`, are optional and loaded when they are used.
 */
export { openGpu, type OpenGpuOptions } from './gpu.ts';
export { fileBlob } from './files.ts';
export { decodeImage } from './images.ts';
export type { RawImage } from '../vision/image-source.ts';

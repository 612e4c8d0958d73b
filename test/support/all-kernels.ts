/** Every kernel there is, to be bundled as the package is: it exports none of them. */
import { kernels } from '../../src/kernels/kernels.ts';
import { packInputKernel } from '../../src/kernels/pack-input.ts';
import { unpackOutputKernel } from '../../src/kernels/unpack-output.ts';

export { moduleCode } from '../../src/kernels/kernel.ts';
export { PreprocessKernels } from '../../src/vision/preprocess-kernels.ts';

/** Those of ops, and those around a plan. */
export const allKernels = [...kernels, packInputKernel, unpackOutputKernel];

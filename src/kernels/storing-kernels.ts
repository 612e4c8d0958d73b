/** Kernels that end in a store file: `store.wgsl`, for one value or one part of a value, or `store-parts.wgsl`. */
import codeOfOne from '../../shaders/store.wgsl?raw';
import codeOfParts from '../../shaders/store-parts.wgsl?raw';
import type { Kernel } from './kernel.ts';

/** Invocations that `quadBroadcast` connects. */
export const QUAD = 4;
/** What kernels with quads begin with. A loop's bounds may differ between the quads of a subgroup, never within one. */
export const SUBGROUPS = ['enable subgroups;', 'diagnostic(off, subgroup_uniformity);'];

/** A kernel in both forms: with one place to store to, and with parts. */
export interface StoringKernels {
  readonly one: Kernel;
  readonly parts: Kernel;
}

/** The kernels that end in a store file, from `code` without it. Bindings 0 and 1 are theirs: `x` and `weights`. */
export function storingKernels(
  name: string,
  code: string,
  sizes: readonly string[],
  extra: Pick<Kernel, 'textures' | 'directives'> = {},
): StoringKernels {
  const one: Kernel = {
    name,
    code: `${code}\n${codeOfOne}`,
    bindings: ['x', 'weights', 'params', 'residual', 'y'],
    ...extra,
    written: 1,
    sizes,
    stores: ['vectors', 'offset', 'residualVectors', 'lanesRow', 'relu'],
  };
  const parts: Kernel = {
    name: `${name}-parts`,
    code: `${code}\n${codeOfParts}`,
    bindings: [...one.bindings, 'scratch0', 'scratch1'],
    ...extra,
    written: 3,
    sizes,
    stores: [
      'vectors', 'offset', 'residualVectors', 'relu', 'innerRelu', 'rows', 'rowCount', 'scratchVectors', 'scratchOffset', 'tailFirst',
      'tailVectors', 'tailOffset', 'tailRow', 'copyBegin', 'copyVectors', 'copyRow', 'copyOffset', 'copyScratchFirst',
      'copyScratchVectors', 'copyScratchOffset', 'otherVectors', 'otherOffset',
    ],
  };
  return { one, parts };
}

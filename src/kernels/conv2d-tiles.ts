/**
 * The convolution kernels: what tile each computes, which convolutions it takes, and how long it is expected to take. The
 * prediction picks one at once; a measured choice overrules it.
 */
import codeConv2d from '../../shaders/conv2d.wgsl?raw';
import code8x8 from '../../shaders/conv2d-8x8.wgsl?raw';
import code8x4 from '../../shaders/conv2d-8x4.wgsl?raw';
import codeQuad8x32 from '../../shaders/conv2d-quad-8x32.wgsl?raw';
import codeQuad16x12 from '../../shaders/conv2d-quad-16x12.wgsl?raw';
import { LANES, roundUp } from '../tensor/channel-layout.ts';
import { WORKGROUP_SIZE, type Kernel, type KernelLimits } from './kernel.ts';
import { storingKernels, type StoringKernels } from './stores.ts';

/** What decides which tile is best for a convolution. */
export interface ConvShape {
  /** Output pixels, of all images. */
  readonly pixels: number;
  readonly kernelSize: number;
  readonly stride: number;
  readonly padding: number;
  /** vec4s per input pixel that one output reads. */
  readonly groupVectors: number;
  /** Output vec4s of one group. */
  readonly groupOutVectors: number;
  readonly outVectors: number;
  /** Whether groups are convolved on their own. */
  readonly hasOwnGroups: boolean;
}

/** A convolution kernel and its tile. */
export interface ConvTile {
  /** What a choice calls it: the kernel's name. */
  readonly name: string;
  readonly kernels: StoringKernels;
  readonly pixels: number;
  /** Output vec4s. */
  readonly vectors: number;
  readonly workgroupSize: number;
  /** Invocations that share a tile. */
  readonly invocations: number;
  /** Whether weights are a texture, each tile's columns together: see `conv2d-quad-8x32.wgsl`. */
  readonly hasTexture: boolean;
  /** Time per pixel and output vec4 relative to the other tiles, measured on SwiftShader. */
  readonly cost: number;
  /** The same of a tile with no more than half of its channels, relative to a whole one. Default 1. */
  readonly halfCost?: number;
}

const sizes = [
  'inHeight', 'inWidth', 'inVectors', 'outHeight', 'outWidth', 'outVectors', 'pixels', 'tiles', 'channelTiles',
  'kernelSize', 'stride', 'padding', 'runs', 'runVectors', 'groupVectors', 'groupOutVectors', 'weightVectors',
  'sparseVectors', 'zeroVectors',
];

/** A loop's bounds differ between quads of a subgroup, never within one. */
const SUBGROUPS = ['enable subgroups;', 'diagnostic(off, subgroup_uniformity);'];

const tiles: readonly ConvTile[] = [
  tile('8x8', code8x8, { pixels: 8, vectors: 2, cost: 1.6 }),
  tile('8x4', code8x4, { pixels: 8, vectors: 1, cost: 2 }),
  quadTile('8x32', codeQuad8x32, { pixels: 8, vectors: 8, cost: 0.8, halfCost: 0.565 }),
  quadTile('16x12', codeQuad16x12, { pixels: 16, vectors: 3, cost: 1 }),
];

function tile(name: string, code: string, shape: Pick<ConvTile, 'pixels' | 'vectors' | 'cost' | 'halfCost'>): ConvTile {
  const kernels = storingKernels(`conv2d-${name}`, `${codeConv2d}\n${code}`, sizes);
  return { name: kernels.one.name, kernels, workgroupSize: WORKGROUP_SIZE, invocations: 1, hasTexture: false, ...shape };
}

function quadTile(name: string, code: string, shape: Pick<ConvTile, 'pixels' | 'vectors' | 'cost' | 'halfCost'>): ConvTile {
  const kernels = storingKernels(`conv2d-quad-${name}`, `${codeConv2d}\n${code}`, sizes, { textures: ['weights'], directives: SUBGROUPS });
  return { name: kernels.one.name, kernels, workgroupSize: 16, invocations: 4, hasTexture: true, ...shape };
}

export const conv2dKernels: readonly Kernel[] = tiles.flatMap(({ kernels }) => [kernels.one, kernels.parts]);

/** The tiles that can compute a convolution on an adapter, the one that is expected to be the fastest first. */
export function tilesFor(conv: ConvShape, limits: KernelLimits): readonly ConvTile[] {
  const time = (tile: ConvTile) => predictedTime(tile, conv);
  return tiles.filter((tile) => canCompute(tile, conv, limits)).sort((a, b) => time(a) - time(b));
}

function canCompute({ vectors, hasTexture, invocations }: ConvTile, conv: ConvShape, limits: KernelLimits): boolean {
  const { kernelSize, groupVectors, groupOutVectors, outVectors, hasOwnGroups } = conv;
  if (invocations > 1 && (!limits.hasQuads || hasOwnGroups)) return false;
  // One that straddles two groups is not allowed.
  if (hasOwnGroups && groupOutVectors % vectors !== 0) return false;
  const textureSize = Math.max(kernelSize ** 2 * groupVectors, roundUp(outVectors, vectors) * LANES);
  return !hasTexture || textureSize <= limits.maxTextureDimension2D;
}

/** In units of its own: the work, what lies past the end included, times what it costs. */
function predictedTime({ pixels, vectors, cost, halfCost = 1 }: ConvTile, conv: ConvShape): number {
  const whole = Math.floor(conv.groupOutVectors / vectors);
  const rest = conv.groupOutVectors % vectors;
  const restCost = rest === 0 ? 0 : rest <= vectors / 2 ? halfCost : 1;
  return roundUp(conv.pixels, pixels) * (whole + restCost) * vectors * cost;
}

/**
 * The convolution kernels: what tile each computes, which convolutions it takes, and how long it is expected to take. The
 * prediction picks one at once; a measured choice overrules it.
 */
import codeConv2d from '../../shaders/conv2d.wgsl?raw';
import code8x8 from '../../shaders/conv2d-8x8.wgsl?raw';
import code8x4 from '../../shaders/conv2d-8x4.wgsl?raw';
import codeQuad8x32 from '../../shaders/conv2d-quad-8x32.wgsl?raw';
import codeQuad16x12 from '../../shaders/conv2d-quad-16x12.wgsl?raw';
import codeQuad16x20 from '../../shaders/conv2d-quad-16x20.wgsl?raw';
import codeShared from '../../shaders/conv2d-shared.wgsl?raw';
import codeShared128x64 from '../../shaders/conv2d-shared-128x64.wgsl?raw';
import codeShared64x64 from '../../shaders/conv2d-shared-64x64.wgsl?raw';
import codeShared32x32 from '../../shaders/conv2d-shared-32x32.wgsl?raw';
import codeSplit16x32 from '../../shaders/conv2d-split-16x32.wgsl?raw';
import codeSplit8x4 from '../../shaders/conv2d-split-8x4.wgsl?raw';
import { LANES, roundUp } from '../tensor/channel-layout.ts';
import { WORKGROUP_SIZE, type Kernel, type KernelLimits } from './kernel.ts';
import { QUAD, SUBGROUPS, storingKernels, type StoringKernels } from './storing-kernels.ts';

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
  /** The tile of the last channels where no more than its vec4s are left. */
  readonly rest?: { readonly pixels: number; readonly vectors: number };
  /** Invocations that share a tile. */
  readonly invocations: number;
  /** Whether four of them are a quad. */
  readonly hasQuads: boolean;
  /** Whether it can convolve groups on their own. */
  readonly takesGroups: boolean;
  /** Whether weights are a texture, each tile's columns together: see `conv2d-quad-8x32.wgsl`. */
  readonly hasTexture: boolean;
  /** Workgroup memory. */
  readonly workgroupBytes: number;
  readonly overrides: Readonly<Record<string, number>>;
  readonly costs: TileCosts;
}

/** Time per pixel, output vec4 and input vec4, relative to the other tiles. */
interface TileCosts {
  /** On software adapters, measured on SwiftShader, where tiles with workgroup memory are not used. */
  readonly software: number;
  /** The same of the tile of the rest. */
  readonly softwareRest?: number;
  /** On a GPU that has enough work, estimated from loads per multiply-add. */
  readonly gpu: number;
  /** Input vec4s of a window's row that are summed together: a row's rest costs as much. */
  readonly inputStep: number;
  /** Slices of the inputs, whose sums have to be added up. */
  readonly slices: number;
}

const sizes = [
  'inHeight', 'inWidth', 'inVectors', 'outHeight', 'outWidth', 'outVectors', 'pixels', 'tiles', 'channelTiles',
  'wholeTiles', 'restVector', 'kernelSize', 'stride', 'padding', 'runs', 'runVectors', 'groupVectors', 'groupOutVectors', 'weightVectors',
  'sparseVectors', 'zeroVectors',
];

const KIB = 1024;
const SPLITS = [4, 16, 64];

const tiles: readonly ConvTile[] = [
  registerTile('8x8', code8x8, { pixels: 8, vectors: 2 }, { software: 1.6, gpu: 1.5 }),
  registerTile('8x4', code8x4, { pixels: 8, vectors: 1 }, { software: 2, gpu: 1.7 }),
  quadTile('8x32', codeQuad8x32, { pixels: 8, vectors: 8, rest: { pixels: 16, vectors: 4 } }, { software: 0.8, softwareRest: 0.88 }),
  quadTile('16x12', codeQuad16x12, { pixels: 16, vectors: 3 }, { software: 1 }),
  quadTile('16x20', codeQuad16x20, { pixels: 16, vectors: 5 }, { software: 0.9 }),
  sharedTile('128x64', codeShared128x64, { pixels: 128, vectors: 16, workgroupSize: 128, workgroupBytes: 12 * KIB }, { gpu: 0.9 }),
  sharedTile('64x64', codeShared64x64, { pixels: 64, vectors: 16, workgroupSize: 128, workgroupBytes: 8 * KIB }, { gpu: 1 }),
  sharedTile('32x32', codeShared32x32, { pixels: 32, vectors: 8, workgroupSize: 64, workgroupBytes: 4 * KIB }, { gpu: 1.25 }),
  splitTile('16x32', codeSplit16x32, { pixels: 16, vectors: 8, workgroupSize: 256, invocations: 256, workgroupBytes: 16 * KIB }, { gpu: 1.8, slices: 8 }),
  ...SPLITS.map((slices) =>
    splitTile(`8x4-by${slices}`, codeSplit8x4, { pixels: 8, vectors: 1, invocations: slices, workgroupBytes: 8 * KIB, overrides: { SLICES: slices } }, { gpu: 1.7, slices }),
  ),
];

type TileShape = Pick<ConvTile, 'pixels' | 'vectors'> & Partial<ConvTile>;

function tile(kernels: StoringKernels, shape: TileShape, costs: Partial<TileCosts>): ConvTile {
  return {
    name: kernels.one.name,
    kernels,
    workgroupSize: WORKGROUP_SIZE,
    invocations: 1,
    hasQuads: false,
    takesGroups: false,
    hasTexture: false,
    workgroupBytes: 0,
    overrides: {},
    ...shape,
    costs: { software: Infinity, gpu: Infinity, inputStep: 1, slices: 1, ...costs },
  };
}

function registerTile(name: string, code: string, shape: TileShape, costs: Partial<TileCosts>): ConvTile {
  const kernels = storingKernels(`conv2d-${name}`, `${codeConv2d}\n${code}`, sizes);
  return tile(kernels, { takesGroups: true, ...shape }, costs);
}

function quadTile(name: string, code: string, shape: TileShape, costs: Partial<TileCosts>): ConvTile {
  const kernels = storingKernels(`conv2d-quad-${name}`, `${codeConv2d}\n${code}`, sizes, { textures: ['weights'], directives: SUBGROUPS });
  return tile(kernels, { workgroupSize: 16, invocations: QUAD, hasQuads: true, hasTexture: true, ...shape }, costs);
}

function sharedTile(name: string, code: string, shape: TileShape & { workgroupSize: number }, costs: Partial<TileCosts>): ConvTile {
  const kernels = storingKernels(`conv2d-shared-${name}`, `${codeConv2d}\n${codeShared}\n${code}`, sizes);
  return tile(kernels, { invocations: shape.workgroupSize, ...shape }, { inputStep: LANES, ...costs });
}

function splitTile(name: string, code: string, shape: TileShape, costs: Partial<TileCosts> & { slices: number }): ConvTile {
  const kernels = storingKernels(`conv2d-split-${name}`, `${codeConv2d}\n${code}`, sizes);
  return tile(kernels, shape, { inputStep: costs.slices, ...costs });
}

export const conv2dKernels: readonly Kernel[] = tiles.flatMap(({ kernels }) => [kernels.one, kernels.parts]);

/** The tiles that can compute a convolution on an adapter, the one that is expected to be the fastest first. */
export function tilesFor(conv: ConvShape, limits: KernelLimits): readonly ConvTile[] {
  const time = (tile: ConvTile) => (limits.isSoftware ? softwareTime(tile, conv) : gpuTime(tile, conv));
  return tiles.filter((tile) => canCompute(tile, conv, limits)).sort((a, b) => time(a) - time(b));
}

function canCompute(tile: ConvTile, conv: ConvShape, limits: KernelLimits): boolean {
  const { kernelSize, groupVectors, groupOutVectors, outVectors, hasOwnGroups } = conv;
  if (tile.hasQuads && !limits.hasQuads) return false;
  // Barriers are slow there, and kernels that have them take seconds to compile.
  if (tile.workgroupBytes > 0 && (limits.isSoftware)) return false;
  if (tile.workgroupSize > limits.maxComputeInvocationsPerWorkgroup) return false;
  if (tile.workgroupBytes > limits.maxComputeWorkgroupStorageSize) return false;
  // One that straddles two groups is not allowed.
  if (hasOwnGroups && (!tile.takesGroups || groupOutVectors % tile.vectors !== 0)) return false;
  const textureSize = Math.max(kernelSize ** 2 * groupVectors, roundUp(outVectors, tile.vectors) * LANES);
  return !tile.hasTexture || textureSize <= limits.maxTextureDimension2D;
}

/** How many tiles a convolution takes: whole ones first, then those of the rest, which begins at output vec4 `restVector`. */
export function countTiles({ pixels, vectors, rest }: ConvTile, conv: Pick<ConvShape, 'pixels' | 'outVectors'>) {
  const left = conv.outVectors % vectors;
  const hasRest = rest !== undefined && left > 0 && left <= rest.vectors;
  const columns = hasRest ? Math.floor(conv.outVectors / vectors) : Math.ceil(conv.outVectors / vectors);
  const wholeTiles = columns * Math.ceil(conv.pixels / pixels);
  return {
    tiles: wholeTiles + (hasRest ? Math.ceil(conv.pixels / rest.pixels) : 0),
    wholeTiles,
    channelTiles: Math.max(columns, 1), // a divisor
    restVector: columns * vectors,
  };
}

/** Below as many tiles, the end of a dispatch, when cores run out of workgroups, is worth making them small. */
const FEW_TILES = 100;

/** Invocations of a workgroup for as many tiles. Quads may come in workgroups of their own. */
export function workgroupSizeOf({ hasQuads, workgroupSize, invocations }: ConvTile, tiles: number): number {
  return hasQuads && tiles < FEW_TILES ? invocations : workgroupSize;
}

/** In units of its own: the work, what lies past the end included, times what it costs. */
function softwareTime(tile: ConvTile, conv: ConvShape): number {
  const { pixels, vectors, rest, costs } = tile;
  const { tiles, wholeTiles } = countTiles(tile, { pixels: conv.pixels, outVectors: conv.groupOutVectors });
  const restTime = rest ? (tiles - wholeTiles) * rest.pixels * rest.vectors * (costs.softwareRest ?? costs.software) : 0;
  return wholeTiles * pixels * vectors * costs.software + restTime;
}

/** Invocations that keep a GPU busy: of 32 cores, since none tells how many it has. */
const FULL = 32 * 256;

/** What an invocation does beside its sums, in the time of their steps: it finds its pixels, and adds slices pair by pair. */
const SETUP = 32;
const ADDITION = 16;

/** In units of its own: what one invocation does, times how many there are; those that a GPU could run as well take as long. */
function gpuTime({ pixels, vectors, invocations, costs }: ConvTile, conv: ConvShape): number {
  const { gpu, inputStep, slices } = costs;
  const inputs = conv.kernelSize * roundUp(conv.kernelSize * conv.groupVectors, inputStep);
  const own = (pixels * vectors * inputs * gpu) / invocations + SETUP + ADDITION * Math.log2(slices);
  const tiles = Math.ceil(conv.pixels / pixels) * Math.ceil(conv.outVectors / vectors);
  return own * Math.max(tiles * invocations, FULL);
}

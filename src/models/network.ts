/**
 * The networks by name: from options (a caller's, a command line's, or a file's `compconv` metadata) to a graph.
 *
 * Options that come from a file are checked like any other input.
 */
import { CompConvError, show } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { checkDepthMap, compress, type CompConvOptions } from './compress.ts';
import { IMAGENET_WIDTHS, RESNETS, resnet } from './resnet.ts';
import { VGGS, vgg } from './vgg.ts';

/** A network by name; without `c0` and `depths` it is the plain one. */
export interface NetworkOptions extends CompConvOptions {
  /** One of `architectures`; torchvision's name. */
  readonly arch: string;
  /** Default 1000, or 10 for `resnet_small14`. */
  readonly classes?: number;
  /** Default 3, or 1 for `resnet_small14`. */
  readonly inChannels?: number;
  /** Channels of each stage, `resnet_small14` only. Default 16, 32, 64. */
  readonly widths?: readonly number[];
  /** BasicBlocks per stage, `resnet_small14` only. Default 2. */
  readonly blocksPerStage?: number;
}

/** Size of the input; the graph can be given another one later with `withInputShape`. */
export interface InputSize {
  /** Default 1. */
  readonly batch?: number;
  /** Default 224, or 28 for `resnet_small14`. */
  readonly height?: number;
  /** Default the height. */
  readonly width?: number;
}

const SMALL_RESNET = 'resnet_small14';

/** Every architecture there is. */
export const architectures: readonly string[] = [
  ...Object.keys(RESNETS),
  ...Object.keys(VGGS).flatMap((name) => [name, `${name}_bn`]),
  SMALL_RESNET,
];

/** Input height and width that an architecture was made for. */
export function nativeInputSize(arch: string): number {
  return arch === SMALL_RESNET ? 28 : 224;
}

/**
 * Builds a network: plain without `c0` and `depths`, else with CompConv.
 * @throws invalid-argument for an unknown architecture or a bad option; invalid-graph if the input is too small.
 */
export function createNetwork(options: NetworkOptions, size: InputSize = {}): Graph {
  checkNetworkOptions(options);
  const graph = plainNetwork(options, size);
  return options.c0 === undefined && options.depths === undefined ? graph : compress(graph, options);
}

function plainNetwork({ arch, classes, inChannels, widths, blocksPerStage }: NetworkOptions, size: InputSize): Graph {
  const native = nativeInputSize(arch);
  const height = size.height ?? native;
  const input = (c: number) => ({ n: size.batch ?? 1, h: height, w: size.width ?? height, c });
  if (arch === SMALL_RESNET) {
    const stages = widths ?? [16, 32, 64];
    const blocks = stages.map(() => blocksPerStage ?? 2);
    return resnet({ name: 'ResNetSmall14', block: 'basic', blocks, widths: stages, stem: 'small' }, input(inChannels ?? 1), classes ?? 10);
  }
  if (Object.hasOwn(RESNETS, arch)) {
    const config = RESNETS[arch as keyof typeof RESNETS];
    return resnet({ ...config, widths: IMAGENET_WIDTHS, stem: 'imagenet' }, input(inChannels ?? 3), classes ?? 1000);
  }
  const batchNorm = arch.endsWith('_bn');
  return vgg(arch.replace('_bn', '') as keyof typeof VGGS, batchNorm, input(inChannels ?? 3), classes ?? 1000);
}

/** Reads the options in a file's `compconv` metadata; unknown keys are ignored. @throws invalid-file */
export function parseNetworkOptions(json: string): NetworkOptions {
  const options = parseJsonObject(json, 'compconv');
  const known = ['arch', 'c0', 'depths', 'shuffleGroups', 'inner', 'classes', 'inChannels', 'widths', 'blocksPerStage'];
  const picked = Object.fromEntries(known.filter((key) => options[key] != null).map((key) => [key, options[key]]));
  try {
    checkNetworkOptions(picked as unknown as NetworkOptions);
  } catch (error) {
    throw new CompConvError('invalid-file', `metadata "compconv": ${(error as Error).message}`, { cause: error });
  }
  return picked as unknown as NetworkOptions;
}

/** Parses one metadata value that must be a JSON object. @throws invalid-file */
export function parseJsonObject(json: string, key: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new CompConvError('invalid-file', `metadata "${key}" is not valid JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new CompConvError('invalid-file', `metadata "${key}" must be a JSON object, got ${show(value)}`);
  }
  return value as Record<string, unknown>;
}

/** Largest size that an option may ask for: generous for any real network, small enough never to exhaust memory. */
const MAX_SIZE = 65536;
/** And this for blocks in all, each of them a dozen layers at most: a file of 200 bytes must not keep a page busy. */
const MAX_BLOCKS = 1000;

function checkNetworkOptions(options: NetworkOptions): void {
  const fail = (message: string) => new CompConvError('invalid-argument', message);
  const isSize = (value: unknown) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= MAX_SIZE;
  if (!architectures.includes(options.arch)) {
    throw fail(`unknown architecture ${show(options.arch)}; known are ${architectures.join(', ')}`);
  }
  for (const key of ['classes', 'inChannels', 'blocksPerStage', 'shuffleGroups'] as const) {
    if (options[key] !== undefined && !isSize(options[key])) {
      throw fail(`${key} must be an integer from 1 to ${MAX_SIZE}, got ${show(options[key])}`);
    }
  }
  const { arch, c0, depths, inner, widths, blocksPerStage } = options;
  if (c0 !== undefined && !(Number.isFinite(c0) && c0 > 0)) throw fail(`c0 must be a positive number, got ${show(c0)}`);
  if (inner !== undefined && inner !== 'linear' && inner !== 'bn-relu') {
    throw fail(`inner must be "linear" or "bn-relu", got ${show(inner)}`);
  }
  if (options.innerBias !== undefined && typeof options.innerBias !== 'boolean') throw fail(`innerBias must be true or false, got ${show(options.innerBias)}`);
  if (depths !== undefined) checkDepthMap(depths);
  if (widths !== undefined && !(Array.isArray(widths) && widths.length >= 1 && widths.length <= 16 && widths.every(isSize))) {
    throw fail(`widths must be 1 to 16 positive integers, got ${show(widths)}`);
  }
  if (arch !== SMALL_RESNET && (widths !== undefined || blocksPerStage !== undefined)) {
    throw fail(`widths and blocksPerStage belong to ${SMALL_RESNET}; ${arch} has its own`);
  }
  const stages = widths?.length ?? 3;
  const most = Math.floor(MAX_BLOCKS / stages);
  if (blocksPerStage !== undefined && blocksPerStage > most) {
    throw fail(`blocksPerStage must be at most ${most} where there are ${stages} stages, got ${blocksPerStage}`);
  }
}

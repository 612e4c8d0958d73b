/**
 * The options that several commands share, which network and at what size, from text to the engine's own options. What
 * a value means is the engine's to check; here it only has to be of the right type.
 */

import { InvalidArgumentError, Option, type Command } from 'commander';
import { CompConvError } from '../src/errors.ts';
import type { Graph } from '../src/graph/graph.ts';
import { readModel, seededModel, type NetworkModel } from '../src/models/read-model.ts';
import { architectures, createNetwork, type InputSize, type NetworkOptions } from '../src/models/network.ts';
import { schedules, type ScheduleName } from '../src/scheduler/plan.ts';
import { dtypes, type Dtype } from '../src/tensor/dtype.ts';
import { passNames, type PassName, type ScheduleOptions } from '../src/scheduler/schedule.ts';
import type { TuningCache } from '../src/runtime/tuning-cache.ts';
import { naming, oneLine } from './failure.ts';
import { readBytes } from '../src/node/files.ts';
import { readDepths } from './files.ts';
import { defaultTuningPath, fileTuningCache } from './tuning-file.ts';

/** Which network, as given: all of it may come from a file's metadata instead. */
export interface NetworkFlags {
  readonly arch?: string;
  readonly c0?: number;
  /** Path of a JSON file. */
  readonly depths?: string;
  readonly plain?: boolean;
  readonly inner?: 'linear' | 'bn-relu';
  readonly shuffleGroups?: number;
  readonly classes?: number;
  readonly inChannels?: number;
}

/** Whose weights: a file's, or made-up ones. */
export interface WeightsFlags {
  readonly weights?: string;
  readonly seed?: number;
}

export interface SizeFlags {
  readonly size?: number;
  readonly batch?: number;
}

/** For sizes and counts: larger ones are mistakes. */
const MAX_INTEGER = 2 ** 24;

/** Parser of an integer from `min` to `max`. */
export function integer(min = 1, max = MAX_INTEGER): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`It must be an integer from ${min} to ${max}.`);
    return value;
  };
}

export function positiveNumber(text: string): number {
  const value = text.trim() === '' ? NaN : Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

export const seed = integer(0, 2 ** 32 - 1);

/** What every network option is, for `--help`; without `--arch` a command has a default or a file. */
export function addNetworkOptions(command: Command): Command {
  return addCompressionOptions(
    command.option('--arch <name>', `network, torchvision's name: ${architectures.join(', ')}`),
  )
    .addOption(new Option('--plain', 'plain convolutions: no CompConv').conflicts(['c0', 'depths']))
    .option('--in-channels <n>', 'channels of the input', integer());
}

/** `--c0`, and the options of CompConv. */
function addCompressionOptions(command: Command): Command {
  const c0 = 'CompConv of adaptive depth with this C_0: 32, 64, 128, …; larger is lighter compression';
  return addModuleOptions(command.option('--c0 <n>', c0, positiveNumber));
}

/** The options that CompConv has beside `C_0`. */
export function addModuleOptions(command: Command): Command {
  return command
    .option(
      '--depths <file>',
      'CompConv with these depths: a JSON object, layer name to 0..3; other layers follow --c0, or stay plain',
    )
    .addOption(
      new Option('--inner <kind>', 'what follows the convolutions inside CompConv (default: linear)').choices([
        'linear',
        'bn-relu',
      ]),
    )
    .option('--shuffle-groups <n>', "groups of CompConv's channel shuffle; 1 is no shuffle (default: 2)", integer())
    .option('--classes <n>', 'number of classes', integer());
}

export function addWeightsOptions(command: Command): Command {
  const made = new Option('--seed <n>', 'made-up weights instead, the same for the same seed');
  return command
    .option('--weights <file>', 'weights: a .safetensors file of a PyTorch state_dict')
    .addOption(made.argParser(seed).conflicts('weights'));
}

export function addSizeOptions(command: Command): Command {
  return command
    .option('--size <n>', 'height and width of the input (default: what the network was made for)', integer())
    .option('--batch <n>', 'images in the input (default: 1)', integer());
}

export interface ScheduleFlags {
  readonly schedule?: ScheduleName;
  readonly without?: readonly PassName[];
  readonly dtype?: Dtype;
  readonly force?: readonly PassName[];
}

export function addScheduleOption(command: Command): Command {
  const option = new Option('--schedule <name>', 'how the network becomes dispatches; reference fuses epilogues only');
  const without = new Option('--without <pass...>', 'leave passes of the schedule out');
  const force = new Option('--force <pass...>', 'carry passes out also where they are not expected to pay');
  const dtype = new Option('--dtype <type>', 'how activations and weights are stored; sums are float32 in both');
  return command
    .addOption(option.choices(schedules).default('optimized'))
    .addOption(without.choices(passNames))
    .addOption(force.choices(passNames))
    .addOption(dtype.choices(dtypes).default('f32'));
}

/** The flags as the engine's options. */
export function scheduleOptions({ schedule, without, force, dtype }: ScheduleFlags): ScheduleOptions {
  return {
    ...(schedule && { schedule }),
    ...(without && { withoutPasses: without }),
    ...(force && { forcedPasses: force }),
    ...(dtype && { dtype }),
  };
}

export interface TunedFlags {
  readonly tuned?: boolean;
  /** Path of the tuning file. */
  readonly cache?: string;
}

export function addTunedOptions(command: Command): Command {
  return command
    .option('--tuned', 'use the kernels that "compconv tune" found to be fastest on this adapter')
    .option('--cache <file>', `where it keeps them (default: ${TUNING_PATH})`);
}

/** For `--help`, which is no place for somebody's home. */
export const TUNING_PATH = 'compconv-webgpu/tuning.json in the cache folder of the user';

/** The session's options; what is wrong with the file is told on standard error. */
export function tuningOptions({ tuned, cache }: TunedFlags): { tuning?: TuningCache } {
  if (cache !== undefined && !tuned) throw new CompConvError('invalid-argument', '--cache names a file for --tuned, which is missing');
  return tuned ? { tuning: tuningFile(cache) } : {};
}

export function tuningFile(path = defaultTuningPath()): TuningCache {
  return fileTuningCache(path, (message) => process.stderr.write(`compconv: ${oneLine(message)}\n`));
}

export function addJsonOption(command: Command): Command {
  return command.option('--json', 'print one JSON object, with units in the names');
}

/** The flags as the engine's options; `depths` is read from its file. @throws io, invalid-file */
export async function networkOptions(flags: NetworkFlags): Promise<Partial<NetworkOptions>> {
  const { arch, c0, depths, inner, shuffleGroups, classes, inChannels } = flags;
  return {
    ...(arch !== undefined && { arch }),
    ...(c0 !== undefined && { c0 }),
    ...(depths !== undefined && { depths: await readDepths(depths) }),
    ...(inner !== undefined && { inner }),
    ...(shuffleGroups !== undefined && { shuffleGroups }),
    ...(classes !== undefined && { classes }),
    ...(inChannels !== undefined && { inChannels }),
  };
}

export function inputSize({ size, batch }: SizeFlags): InputSize {
  return { ...(batch !== undefined && { batch }), ...(size !== undefined && { height: size, width: size }) };
}

/** The flags as complete options of a network. @throws invalid-argument without `--arch`; io, invalid-file */
export async function completeNetworkOptions(flags: NetworkFlags): Promise<NetworkOptions> {
  const options = await networkOptions(flags);
  if (options.arch === undefined) {
    throw new CompConvError('invalid-argument', 'which network? Give --arch, or --weights with a file that says it');
  }
  const { c0, depths, inner, shuffleGroups } = options;
  if (c0 === undefined && depths === undefined && (inner !== undefined || shuffleGroups !== undefined)) {
    throw new CompConvError('invalid-argument', '--inner and --shuffle-groups are of CompConv: give --c0 or --depths too');
  }
  return options as NetworkOptions;
}

/** What a file holds, and how large the file is. */
export interface FileModel extends NetworkModel {
  readonly fileBytes: number;
}

/** A model from a file; flags win over its metadata. @throws io, invalid-file, invalid-weights, invalid-argument */
export async function loadWeights(path: string, flags: NetworkFlags, input: InputSize = {}): Promise<FileModel> {
  const network = await networkOptions(flags);
  const bytes = await readBytes(path);
  const model = await naming(path, () => readModel(bytes, { network, plain: flags.plain ?? false, input }));
  return { ...model, fileBytes: bytes.length };
}

/** A model from a file or from a seed. @throws what `loadWeights` does; invalid-argument without either */
export async function modelOf(command: string, flags: NetworkFlags & WeightsFlags, input: InputSize = {}): Promise<NetworkModel> {
  if (flags.weights !== undefined) return loadWeights(flags.weights, flags, input);
  if (flags.seed === undefined) {
    throw new CompConvError('invalid-argument', `${command}: give --weights with a file, or --seed for made-up weights`);
  }
  return seededModel(await completeNetworkOptions(flags), flags.seed, input);
}

/** A graph alone, from a file's metadata or from the flags. */
export async function loadGraph(
  flags: NetworkFlags & SizeFlags & { weights?: string },
): Promise<{ graph: Graph; options: NetworkOptions; fileBytes?: number }> {
  const input = inputSize(flags);
  if (flags.weights !== undefined) return loadWeights(flags.weights, flags, input);
  const options = await completeNetworkOptions(flags);
  return { graph: createNetwork(options, input), options };
}

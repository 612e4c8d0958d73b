/** `compconv bench`: plain convolutions against CompConv. `bench/harness.ts` measures; here are the flags. */

import type { Command } from 'commander';
import { runBenchmark, type BenchNetwork, type BenchOptions, type BenchProgress, type BenchReport } from '../../bench/harness.ts';
import { sections, type BenchSection } from '../../bench/options.ts';
import { CompConvError } from '../../src/errors.ts';
import { prepareOut, writeReport } from '../bench-file.ts';
import { benchText } from '../bench-text.ts';
import { openNodeGpu } from '../node-adapter.ts';
import {
  addCompressionOptions,
  addJsonOption,
  addSizeOptions,
  integer,
  networkOptions,
  seed,
  addScheduleOption,
  addTunedOptions,
  scheduleOptions,
  tuningOptions,
  type NetworkFlags,
  type ScheduleFlags,
  type SizeFlags,
  type TunedFlags,
} from '../options.ts';
import { print, printJson, ProgressLine } from '../report.ts';
import { requireTuned } from '../tuning-file.ts';
import { engineVersion, packageVersion } from '../versions.ts';

export interface BenchFlags extends NetworkFlags, SizeFlags, ScheduleFlags, TunedFlags {
  readonly arch: string;
  readonly runs: number;
  readonly seed: number;
  readonly adapter?: boolean;
  readonly layers?: boolean;
  readonly scaling?: boolean;
  readonly all?: boolean;
  readonly json?: boolean;
  /** Path of a file or folder. */
  readonly out?: string;
}

const DEFAULT_C0 = 128;

export function addBenchCommand(program: Command, signal: AbortSignal): void {
  const command = program.command('bench').summary('time plain convolutions against CompConv');
  addBenchOptions(command, (flags) => runBench(flags, signal));
  addTunedOptions(command);
}

/** The command's options and texts, for the one in Node and the one that drives a browser. */
export function addBenchOptions(command: Command, action: (flags: BenchFlags) => Promise<void>): void {
  command.description(
    'Times a network with plain convolutions against the same one with CompConv, on made-up weights: verifies both ' +
      'against the CPU reference, warms up, measures them in turns. What fails verification shows no time. ' +
      '--adapter, --layers and --scaling measure that instead; --all measures everything.',
  );
  command.option('--arch <name>', 'network', 'resnet50');
  addCompressionOptions(command);
  addSizeOptions(command)
    .option('--runs <n>', 'measured runs of each network', integer(), 10)
    .option('--seed <n>', 'seed of weights and input', seed, 1)
    .option('--adapter', "the adapter's own limits: dispatch floor, f32 peak, copy bandwidth")
    .option('--layers', "each dispatch alone, against its roofline by the adapter's limits")
    .option('--scaling', 'time at twice the size and at eight times the batch')
    .option('--all', 'times, adapter, layers and scaling');
  addJsonOption(addScheduleOption(command)).option(
    '--out <path>',
    'write the JSON report to this file, or into this folder as <adapter>-<date>.json',
  );
  command.addHelpText(
    'after',
    `\nWithout --c0 and --depths, C_0 is ${DEFAULT_C0}. p90 is the smallest time that 90 % of the runs do not exceed.` +
      '\nWhat is timed and how to read it: bench/README.md.' +
      '\n\nExamples:\n  compconv bench\n  compconv bench --arch vgg16_bn --c0 64 --runs 20 --json' +
      '\n  compconv bench --all --out reports/',
  );
  command.action(action);
}

async function runBench(flags: BenchFlags, signal: AbortSignal): Promise<void> {
  // Options first: a mistake in them is told before a GPU is looked for.
  const options = await benchOptions(flags);
  if (flags.out !== undefined) await prepareOut(flags.out);
  const { gpu, flags: dawnFlags } = await openNodeGpu();
  const versions = {
    engine: engineVersion,
    node: process.version,
    webgpu: packageVersion('webgpu') ?? 'unknown',
    dawnFlags: dawnFlags.join(' '),
  };
  const progress = new ProgressLine();
  try {
    const report = await runBenchmark({
      ...options,
      ...tuningOptions(flags),
      ...(flags.tuned && { onSession: requireTuned }),
      gpu,
      versions,
      signal,
      onProgress: (step) => progress.update(progressText(step)),
    });
    progress.clear();
    await reportBench(report, flags);
  } finally {
    progress.clear();
  }
}

/** The plain network and its CompConv twin. @throws io, invalid-file */
export async function benchOptions(flags: BenchFlags): Promise<BenchOptions> {
  const { c0, depths, inner, shuffleGroups, ...plain } = await networkOptions(flags);
  const compression = {
    ...(c0 === undefined && depths === undefined
      ? { c0: DEFAULT_C0 }
      : { ...(c0 !== undefined && { c0 }), ...(depths && { depths }) }),
    ...(inner && { inner }),
    ...(shuffleGroups !== undefined && { shuffleGroups }),
  };
  const network = { ...plain, arch: flags.arch };
  const networks: BenchNetwork[] = [
    { label: 'plain', options: network },
    { label: `CompConv${compression.c0 ?? ''}`, options: { ...network, ...compression } },
  ];
  const { size, batch, runs, seed: seedValue } = flags;
  return {
    networks,
    runs,
    seed: seedValue,
    ...(size !== undefined && { size }),
    ...(batch !== undefined && { batch }),
    ...scheduleOptions(flags),
    ...(sectionsOf(flags) && { sections: sectionsOf(flags) }),
  };
}

/** What to measure; undefined for the default. */
function sectionsOf({ all, adapter, layers, scaling }: BenchFlags): readonly BenchSection[] | undefined {
  if (all) return sections;
  const chosen = sections.filter((section) => ({ times: false, adapter, layers, scaling })[section]);
  return chosen.length > 0 ? chosen : undefined;
}

export function progressText({ phase, label, done, total }: BenchProgress): string {
  return `${phase} ${label}${total === undefined ? '' : ` ${done! + 1}/${total}`}`;
}

/** Prints the report and writes it to where it should go. @throws io; internal if a network was not verified */
export async function reportBench(report: BenchReport, { json, out }: Pick<BenchFlags, 'json' | 'out'>): Promise<void> {
  if (json) printJson(report);
  else print(...benchText(report));
  if (out !== undefined) {
    const path = await writeReport(out, report);
    if (!json) print('', `written to ${path}`);
  }
  const wrong = report.networks.filter(({ verified }) => !verified);
  if (wrong.length > 0) {
    throw new CompConvError(
      'internal',
      `verification failed: ${wrong.map(({ label, problem }) => `${label}: ${problem}`).join('; ')}`,
    );
  }
}

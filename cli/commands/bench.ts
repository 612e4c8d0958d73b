/** `compconv bench`: plain convolutions against CompConv. `bench/harness.ts` measures; here are flags and tables. */

import type { Command } from 'commander';
import type { BenchNetwork, BenchOptions, BenchProgress, BenchReport, BenchResult } from '../../bench/harness.ts';
import { runBenchmark } from '../../bench/harness.ts';
import { CompConvError } from '../../src/errors.ts';
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
import { count, milliseconds, print, printJson, ProgressLine, table } from '../report.ts';
import { requireTuned } from '../tuning-file.ts';
import { engineVersion, packageVersion } from '../versions.ts';

export interface BenchFlags extends NetworkFlags, SizeFlags, ScheduleFlags, TunedFlags {
  readonly arch: string;
  readonly runs: number;
  readonly seed: number;
  readonly json?: boolean;
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
      'against the CPU reference, warms up, measures them in turns. What fails verification shows no time.',
  );
  command.option('--arch <name>', 'network', 'resnet50');
  addCompressionOptions(command);
  addSizeOptions(command)
    .option('--runs <n>', 'measured runs of each network', integer(), 10)
    .option('--seed <n>', 'seed of weights and input', seed, 1);
  addJsonOption(addScheduleOption(command));
  command.addHelpText(
    'after',
    `\nWithout --c0 and --depths, C_0 is ${DEFAULT_C0}. p90 is the smallest time that 90 % of the runs do not exceed.` +
      '\n\nExamples:\n  compconv bench\n  compconv bench --arch vgg16_bn --c0 64 --runs 20 --json',
  );
  command.action(action);
}

async function runBench(flags: BenchFlags, signal: AbortSignal): Promise<void> {
  // Options first: a mistake in them is told before a GPU is looked for.
  const options = await benchOptions(flags);
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
    reportBench(report, flags);
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
  };
}

export function progressText({ phase, label, done, total }: BenchProgress): string {
  return `${phase} ${label}${total === undefined ? '' : ` ${done! + 1}/${total}`}`;
}

/** Prints the report. @throws internal if a network was not verified */
export function reportBench(report: BenchReport, { json }: Pick<BenchFlags, 'json'>): void {
  if (json) printJson(report);
  else print(...benchText(report));
  const wrong = report.networks.filter(({ verified }) => !verified);
  if (wrong.length > 0) {
    throw new CompConvError(
      'internal',
      `verification failed: ${wrong.map(({ label, problem }) => `${label}: ${problem}`).join('; ')}`,
    );
  }
}

function benchText({
  adapter,
  software,
  versions,
  inputShape,
  seed: seedValue,
  runs,
  schedule,
  tuned,
  verifySize,
  networks,
}: BenchReport): string[] {
  const stats = (summary: BenchResult['latencyMs']) =>
    summary ? [milliseconds(summary.median), milliseconds(summary.p90), milliseconds(summary.min)] : ['-', '-', '-'];
  const hasGpuTime = networks.some(({ gpuTimeMs }) => gpuTimeMs);
  return [
    `adapter   ${adapter}${software ? ': these times say nothing about a GPU' : ''}`,
    `versions  ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version || 'none'}`)
      .join(', ')}`,
    `input     [${inputShape.join(', ')}], ${runs} runs in turns, seed ${seedValue}, schedule ${schedule}${tuned ? ', tuned' : ''}`,
    '',
    ...table(
      [
        'network',
        'MACs',
        'parameters',
        'dispatches',
        'pipelines',
        'median',
        'p90',
        'min',
        ...(hasGpuTime ? ['GPU median', 'p90', 'min'] : []),
      ],
      networks.map((result) => [
        result.label,
        count(result.macs),
        count(result.params),
        String(result.dispatches),
        String(result.pipelines),
        ...stats(result.latencyMs),
        ...(hasGpuTime ? stats(result.gpuTimeMs) : []),
      ]),
    ),
    '',
    ...table(
      [
        'network',
        `error at ${verifySize}x${verifySize}`,
        'upload',
        'compile',
        'session',
        'first run',
        'to first result',
        'warm-up runs',
      ],
      networks.map(({ label, verified, relativeError, load, warmUpRuns }) => [
        label,
        `${relativeError?.toExponential(1) ?? 'not finite'}${verified ? '' : ' FAILED'}`,
        ...(load
          ? [load.uploadMs, load.compileMs, load.sessionMs, load.firstRunMs, load.totalMs].map(milliseconds)
          : Array<string>(5).fill('-')),
        String(warmUpRuns ?? '-'),
      ]),
    ),
    ...networks
      .slice(1)
      .flatMap(({ label, speedUp, macsRatio, network }) =>
        speedUp === undefined
          ? []
          : [
              '',
              `${network} (${label}) against ${networks[0].network}: ${speedUp.toFixed(2)}x as fast (medians), ` +
                `with ${macsRatio.toFixed(2)}x fewer MACs`,
            ],
      ),
  ];
}

/** `compconv bench`: plain convolutions against CompConv. `bench/harness.ts` measures; here are the flags. */

import { InvalidArgumentError, Option, type Command } from 'commander';
import { runBenchmark, type BenchProgress, type BenchReport } from '../../bench/harness.ts';
import { sections, type BenchSection } from '../../bench/options.ts';
import { peerNames } from '../../bench/peers/peer.ts';
import { DEFAULT_REQUEST, parseParameter, requestedOptions, type BenchRequest, type ParameterName } from '../../bench/request.ts';
import { CompConvError } from '../../src/errors.ts';
import { prepareOut, writeReport } from '../bench-file.ts';
import { runInPage } from '../bench-page.ts';
import { benchText } from '../bench-text.ts';
import { readDepths } from '../files.ts';
import { openNodeGpu } from '../node-adapter.ts';
import {
  addJsonOption,
  addModuleOptions,
  addScheduleOption,
  addSizeOptions,
  addTunedOptions,
  integer,
  scheduleOptions,
  seed,
  tuningOptions,
  type NetworkFlags,
  type ScheduleFlags,
  type SizeFlags,
  type TunedFlags,
} from '../options.ts';
import { print, printJson, ProgressLine } from '../report.ts';
import { requireTuned } from '../tuning-file.ts';
import { engineVersion, packageVersion } from '../versions.ts';

/** A part of the request, from the text of a flag. */
type Part = Partial<BenchRequest>;

export interface BenchFlags extends Omit<NetworkFlags, 'arch' | 'c0'>, SizeFlags, ScheduleFlags, TunedFlags {
  readonly arch?: Part;
  readonly c0?: Part;
  readonly peers?: Part;
  readonly runs: number;
  readonly seed: number;
  readonly adapter?: boolean;
  readonly layers?: boolean;
  readonly scaling?: boolean;
  readonly all?: boolean;
  readonly browser?: boolean;
  readonly json?: boolean;
  /** Path of a file or folder. */
  readonly out?: string;
}

export function addBenchCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command('bench')
    .summary('time plain convolutions against CompConv')
    .description(
      'Times networks with plain convolutions against the same ones with CompConv, on made-up weights: verifies all ' +
        'against the CPU reference, warms up, measures them in turns. What fails verification shows no time. ' +
        '--adapter, --layers and --scaling measure that instead of times; --all measures everything, --peers adds times.',
    )
    .option('--arch <names>', 'networks, separated by commas (default: resnet50)', parameter('networks', '--arch'))
    .option('--c0 <list>', 'C_0 of each CompConv twin, separated by commas; smaller saves more (default: 128)', parameter('c0', '--c0'));
  addModuleOptions(command);
  addSizeOptions(command)
    .option('--runs <n>', 'measured runs of each network', integer(), DEFAULT_REQUEST.runs)
    .option('--seed <n>', 'seed of weights and input', seed, DEFAULT_REQUEST.seed)
    .option('--adapter', "the adapter's own limits: dispatch floor, f32 peak, copy bandwidth")
    .option('--layers', "each dispatch alone, against its roofline by the adapter's limits")
    .option('--scaling', 'time at twice the size and at eight times the batch')
    .option('--all', 'times, adapter, layers and scaling')
    .option('--browser', 'measure on the benchmark page, in headless Chromium, instead of in Node')
    .addOption(
      new Option('--peers <list>', `other engines beside ours, on that page: ${peerNames.join(', ')}, separated by commas`).argParser(
        parameter('peers', '--peers'),
      ),
    );
  addTunedOptions(addJsonOption(addScheduleOption(command)));
  command.option('--out <path>', 'write the JSON report to this file, or into this folder as <adapter>-<date>.json');
  command.addHelpText(
    'after',
    '\nWith --depths and no --c0, the layers that the file leaves out stay plain. p90 is the smallest time that 90 % of the' +
      '\nruns do not exceed. What is timed and how to read it: bench/README.md.' +
      '\n\nExamples:\n  compconv bench\n  compconv bench --arch resnet18,vgg16_bn --c0 64,128 --runs 20 --json' +
      '\n  compconv bench --peers ort-web,ort-wasm,tfjs\n  compconv bench --all --out reports/',
  );
  command.action((flags: BenchFlags) => runBench(flags, signal));
}

async function runBench(flags: BenchFlags, signal: AbortSignal): Promise<void> {
  // Options first: a mistake in them is told before a GPU is looked for.
  const request = await benchRequest(flags);
  const inBrowser = flags.browser === true || request.peers.length > 0;
  if (inBrowser && flags.tuned) throw new CompConvError('invalid-argument', '--tuned is for Node: a browser keeps its own tuning');
  // Networks that cannot be made are told now, too.
  const options = requestedOptions(request);
  if (flags.out !== undefined) await prepareOut(flags.out);
  const progress = new ProgressLine();
  const watch = { signal, onProgress: (step: BenchProgress) => progress.update(progressText(step)) };
  try {
    const report = inBrowser ? await runInPage(request, watch) : await runInNode(flags, { ...options, ...watch });
    progress.clear();
    await reportBench(report, flags);
  } finally {
    progress.clear();
  }
}

async function runInNode(flags: BenchFlags, options: Parameters<typeof runBenchmark>[0]): Promise<BenchReport> {
  const { gpu } = await openNodeGpu();
  const versions = { engine: engineVersion, node: process.version, webgpu: packageVersion('webgpu') ?? 'unknown' };
  return runBenchmark({ ...options, ...tuningOptions(flags), ...(flags.tuned && { onSession: requireTuned }), gpu, versions });
}

/** What the flags ask for. @throws io, invalid-file for the file of depths */
export async function benchRequest(flags: BenchFlags): Promise<BenchRequest> {
  const { depths: path, inner, shuffleGroups, classes, size, batch, runs } = flags;
  const depths = path === undefined ? undefined : await readDepths(path);
  if (flags.c0?.c0?.length === 0 && !depths && (inner ?? shuffleGroups) !== undefined) {
    throw new CompConvError('invalid-argument', "--inner and --shuffle-groups are CompConv's, of which there is none: give --c0 or --depths");
  }
  return {
    ...DEFAULT_REQUEST,
    ...(depths && { c0: [], depths }),
    ...flags.arch,
    ...flags.c0,
    ...flags.peers,
    ...(inner && { inner }),
    ...(shuffleGroups !== undefined && { shuffleGroups }),
    ...(classes !== undefined && { classes }),
    ...(size !== undefined && { size }),
    ...(batch !== undefined && { batch }),
    ...scheduleOptions(flags),
    runs,
    seed: flags.seed,
    sections: sectionsOf(flags),
  };
}

function sectionsOf({ all, adapter, layers, scaling, peers }: BenchFlags): readonly BenchSection[] {
  if (all) return sections;
  const isChosen = { times: (peers?.peers?.length ?? 0) > 0, adapter, layers, scaling };
  const chosen = sections.filter((section) => isChosen[section]);
  return chosen.length > 0 ? chosen : DEFAULT_REQUEST.sections;
}

/** Parser of a flag that is a parameter of the page's address as well. */
function parameter(name: ParameterName, flag: string): (text: string) => Part {
  return (text) => {
    try {
      return parseParameter(name, text, flag);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  };
}

function progressText({ phase, label, done, total }: BenchProgress): string {
  return `${phase} ${label}${done === undefined || total === undefined ? '' : ` ${Math.min(done + 1, total)}/${total}`}`;
}

/** Prints the report and writes it to where it should go. @throws io; internal if a network was not verified */
async function reportBench(report: BenchReport, { json, out }: Pick<BenchFlags, 'json' | 'out'>): Promise<void> {
  if (json) printJson(report);
  else print(...benchText(report));
  if (out !== undefined) {
    const path = await writeReport(out, report);
    if (!json) print('', `written to ${path}`);
  }
  const wrong = report.networks.filter(({ verified }) => !verified);
  if (wrong.length > 0) {
    throw new CompConvError('internal', `no times of ${wrong.map(({ label, problem }) => `${label}: ${problem}`).join('; ')}`);
  }
}

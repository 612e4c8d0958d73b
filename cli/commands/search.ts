/** `compconv search`: depths chosen by what each layer takes on this adapter, within a budget; writes the map that engine, page and training take. */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Budget } from '../../bench/search/report.ts';
import { searchDepths, type Sensitivity } from '../../bench/search/search.ts';
import type { SearchProgress } from '../../bench/search/measure.ts';
import { architectures } from '../../src/models/network.ts';
import { openDevice } from '../../src/runtime/device.ts';
import { openNodeGpu } from '../node-adapter.ts';
import {
  addJsonOption,
  addScheduleOption,
  addSizeOptions,
  integer,
  loadGraph,
  positiveNumber,
  scheduleOptions,
  TUNING_PATH,
  tuningOptions,
  type ScheduleFlags,
  type SizeFlags,
  type TunedFlags,
} from '../options.ts';
import { oneLine } from '../failure.ts';
import { readJson, requireWritable, writeText } from '../files.ts';
import { print, printJson, ProgressLine } from '../report.ts';
import { searchText } from '../search-text.ts';

interface SearchFlags extends SizeFlags, ScheduleFlags, TunedFlags {
  readonly weights?: string;
  readonly arch?: string;
  readonly classes?: number;
  readonly inChannels?: number;
  readonly inner?: 'linear' | 'bn-relu';
  readonly shuffleGroups?: number;
  readonly budget?: number;
  readonly paramsBudget?: number;
  readonly sensitivity?: string;
  readonly out?: string;
  readonly report?: string;
  readonly json?: boolean;
}

/** Of the plain network's time. */
const DEFAULT_BUDGET = 0.6;

export function addSearchCommand(program: Command, signal: AbortSignal): void {
  const command = program.command('search').summary('choose the depth of each layer by what it takes on this adapter');
  command
    .description(
      'Times each convolution of a network at each depth that it can have, on this adapter, and chooses the depths that keep the most ' +
        'parameters, or lose the least by a sensitivity file, within a share of the time of the plain network; or those of the fastest ' +
        'network within a share of its parameters. Then times the whole network.',
    )
    .option('--arch <name>', `network, torchvision's name: ${architectures.join(', ')}`)
    .option('--weights <file>', 'take the network from the metadata of this .safetensors file of a plain one')
    .option('--in-channels <n>', 'channels of the input', integer())
    .option('--classes <n>', 'number of classes', integer())
    .addOption(new Option('--inner <kind>', 'what follows the convolutions inside CompConv (default: linear)').choices(['linear', 'bn-relu']))
    .option('--shuffle-groups <n>', "groups of CompConv's channel shuffle; 1 is no shuffle (default: 2)", integer())
    .option('--budget <share>', `time, as a share of the plain network's (default: ${DEFAULT_BUDGET})`, share)
    .addOption(new Option('--params-budget <share>', "parameters of convolutions, as a share of the plain network's").argParser(share).conflicts(['budget', 'sensitivity']))
    .option('--sensitivity <file>', 'what depths cost in quality: a JSON object, layer name to a number for each depth, the larger the worse')
    .option('--out <file>', 'write the depths to this JSON file, for --depths, the page and train/')
    .option('--report <file>', 'write everything that was measured to this JSON file, which the benchmark page opens');
  addScheduleOption(addSizeOptions(command))
    .option('--tuned', 'measure the fastest kernels; tunes first, at each depth, what "compconv tune" has not tuned yet')
    .option('--cache <file>', `where tuned kernels are kept (default: ${TUNING_PATH})`);
  addJsonOption(command);
  command.addHelpText('after', '\nExamples:\n  compconv search --arch resnet50 --budget 0.6 --out depths.json\n  compconv bench --arch resnet50 --depths depths.json');
  command.action((flags: SearchFlags) => runSearch(flags, signal));
}

function pick<T extends object, K extends keyof T>(object: T, ...keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(keys.filter((key) => object[key] !== undefined).map((key) => [key, object[key]])) as Pick<T, K>;
}

function share(text: string): number {
  const value = positiveNumber(text);
  if (value > 1) throw new InvalidArgumentError('It must be a share of the plain network, above 0 and at most 1.');
  return value;
}

async function runSearch(flags: SearchFlags, signal: AbortSignal): Promise<void> {
  const { inner, shuffleGroups, budget = DEFAULT_BUDGET, paramsBudget, out, report: reportPath } = flags;
  const { graph } = await loadGraph({ ...pick(flags, 'weights', 'arch', 'classes', 'inChannels', 'size', 'batch'), plain: true });
  const sensitivity = flags.sensitivity === undefined ? undefined : ((await readJson(flags.sensitivity, 'object, layer name to a list of numbers')) as Sensitivity);
  for (const path of [out, reportPath]) if (path !== undefined) await requireWritable(path);
  const { tuning } = tuningOptions(flags);
  const progress = new ProgressLine();
  const warnings = new Set<string>();
  const { adapter } = await openNodeGpu();
  const engine = await openDevice({ adapter });
  try {
    const wanted: Budget = paramsBudget === undefined ? { latency: budget } : { params: paramsBudget };
    const report = await searchDepths(
      {
        engine,
        graph,
        moduleOptions: { ...(inner && { inner }), ...(shuffleGroups !== undefined && { shuffleGroups }) },
        scheduleOptions: scheduleOptions(flags),
      },
      {
        budget: wanted,
        ...(sensitivity && { sensitivity }),
        ...(tuning && { tuning }),
        signal,
        onProgress: (step) => progress.update(progressText(step)),
        onWarning: (message) => warnings.add(oneLine(message)),
      },
    );
    progress.clear();
    // Printed first: should a file fail after all, that is not lost.
    if (flags.json) printJson(report);
    else print(...searchText(report));
    if (out !== undefined) await writeText(out, `${JSON.stringify(report.depths, null, 2)}\n`);
    if (reportPath !== undefined) await writeText(reportPath, `${JSON.stringify(report)}\n`);
  } finally {
    progress.clear();
    for (const warning of warnings) process.stderr.write(`compconv: ${warning}\n`);
    engine.release();
  }
}

function progressText({ phase, done, total, work }: SearchProgress): string {
  if (phase === 'confirm') return `whole networks, round ${done + 1}/${total}`;
  const what = phase === 'tune' ? `tuning network ${done + 1}/${total}` : `kinds of layers ${done}/${total}`;
  return work === undefined ? what : `${what} ${work}`;
}

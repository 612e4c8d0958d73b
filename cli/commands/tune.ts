/** `compconv tune`: measures which ways to compute a network are the fastest on this adapter, and keeps that for `--tuned`. */

import type { Command } from 'commander';
import { shapeOf } from '../../src/graph/graph.ts';
import { seededModel, type NetworkModel } from '../../src/models/read-model.ts';
import { createSession } from '../../src/runtime/session.ts';
import type { TuningProgress, TuningReport } from '../../src/runtime/tuner.ts';
import { printable } from '../failure.ts';
import { openNodeGpu } from '../node-adapter.ts';
import {
  addJsonOption,
  addNetworkOptions,
  addScheduleOption,
  addSizeOptions,
  completeNetworkOptions,
  inputSize,
  loadWeights,
  scheduleOptions,
  TUNING_PATH,
  tuningFile,
  type NetworkFlags,
  type ScheduleFlags,
  type SizeFlags,
} from '../options.ts';
import { milliseconds, print, printJson, ProgressLine, table } from '../report.ts';

interface TuneFlags extends NetworkFlags, SizeFlags, ScheduleFlags {
  readonly weights?: string;
  /** A path; false for nowhere. */
  readonly cache?: string | false;
  readonly fresh?: boolean;
  readonly json?: boolean;
}

/** Times do not depend on the weights' values. */
const SEED = 1;

export function addTuneCommand(program: Command, signal: AbortSignal): void {
  const command = program.command('tune').summary('find the fastest kernels for a network on this adapter');
  command.description(
    'Verifies and times every kernel that can do some part of a network on this adapter, then the whole network with ' +
      'the fastest ones, and keeps them if it is not slower. "run", "eval" and "bench" use them with --tuned. What is ' +
      'known already is not measured again.',
  );
  addNetworkOptions(command).option('--weights <file>', 'take the network from the metadata of this .safetensors file; flags win');
  addJsonOption(addScheduleOption(addSizeOptions(command)))
    .option('--cache <file>', `where to keep the results (default: ${TUNING_PATH})`)
    .option('--no-cache', 'measure everything, keep nothing')
    .option('--fresh', 'measure what is known, too');
  command.addHelpText(
    'after',
    '\nResults are for one size and batch. Ctrl-C ends it and keeps nothing of this network.' +
      '\n\nExamples:\n  compconv tune --arch resnet50 --c0 128\n  compconv run --arch resnet50 --c0 128 --seed 1 photo.jpg --tuned',
  );
  command.action((flags: TuneFlags) => runTune(flags, signal));
}

async function runTune(flags: TuneFlags, signal: AbortSignal): Promise<void> {
  const model = await modelToTune(flags);
  const progress = new ProgressLine();
  const { gpu } = await openNodeGpu();
  const session = await createSession(model, {
    gpu,
    signal,
    ...scheduleOptions(flags),
    onProgress: ({ phase, done, total }) => progress.update(`${phase} ${Math.round((100 * done) / Math.max(total, 1))} %`),
  });
  try {
    const report = await session.tune({
      signal,
      fresh: flags.fresh ?? false,
      cache: flags.cache === false ? null : tuningFile(flags.cache),
      onProgress: (step) => progress.update(progressText(step)),
    });
    progress.clear();
    const { n, h, w, c } = shapeOf(session.graph, session.graph.input);
    const inputShape = [n, c, h, w];
    if (flags.json) printJson({ ...report, software: session.adapter.isSoftware, inputShape });
    else print(...text(report, inputShape, session.adapter.isSoftware));
  } finally {
    progress.clear();
    session.dispose();
  }
}

/** At the size that `run` and `eval` give images to it, unless `--size` says another. */
async function modelToTune(flags: TuneFlags): Promise<NetworkModel> {
  const input = inputSize(flags);
  if (flags.weights !== undefined) return loadWeights(flags.weights, flags, input);
  return seededModel(await completeNetworkOptions(flags), SEED, input);
}

function progressText({ phase, done, total, signature }: TuningProgress): string {
  return `${phase} ${done + 1}/${total}${signature === undefined ? '' : ` ${signature}`}`;
}

function text({ adapter, network, signatures, networkMs, kept, problems }: TuningReport, inputShape: readonly number[], software: boolean): string[] {
  const rows = signatures.flatMap(({ signature, predicted, chosen, timesMs, excluded, fromCache }) => [
    ...Object.entries(timesMs).map(([name, ms], i) => {
      const notes = [name === chosen ? 'chosen' : '', name === predicted ? 'predicted' : ''].filter(Boolean).join(', ');
      return [i === 0 ? signature : '', name, milliseconds(ms), notes, fromCache && i === 0 ? 'known' : ''];
    }),
    ...Object.entries(excluded).map(([name, reason]) => ['', name, '-', `excluded: ${printable(reason)}`, '']),
  ]);
  const { before, after } = networkMs;
  return [
    `adapter  ${adapter}${software ? ': these times say nothing about a GPU' : ''}`,
    `network  ${network}, input [${inputShape.join(', ')}]`,
    '',
    ...(rows.length > 0 ? table(['work', 'kernel', 'time', '', ''], rows) : ['there is only one kernel for each part of it']),
    '',
    `the whole network: ${milliseconds(before)} untuned, ${milliseconds(after)} tuned` +
      (kept ? ` (${(before / after).toFixed(2)}x as fast)` : '; not faster, so the predicted kernels stay'),
    ...problems.map((problem) => `note: ${printable(problem)}`),
  ];
}

/** `compconv run`: a network on images, or on a tensor. */

import type { Command } from 'commander';
import { openNodeGpu } from '../node-adapter.ts';
import { CompConvError, throwIfAborted } from '../../src/errors.ts';
import { shapeOf, withInputShape } from '../../src/graph/graph.ts';
import type { NetworkModel } from '../../src/models/read-model.ts';
import type { RunResult } from '../../src/runtime/gpu-network.ts';
import { createSession, type Session } from '../../src/runtime/session.ts';
import { summarizePlan } from '../../src/scheduler/plan.ts';
import { formatShape, type Tensor } from '../../src/tensor/tensor.ts';
import { topK, type Classification } from '../../src/vision/top-k.ts';
import { printable } from '../failure.ts';
import { readInput, requireOther, requireWritable, writeLogits } from '../files.ts';
import { decodeImage } from '../../src/node/images.ts';
import {
  addJsonOption,
  addNetworkOptions,
  addWeightsOptions,
  integer,
  modelOf,
  addScheduleOption,
  addTunedOptions,
  tuningOptions,
  scheduleOptions,
  type NetworkFlags,
  type ScheduleFlags,
  type TunedFlags,
  type WeightsFlags,
} from '../options.ts';
import { count, milliseconds, percent, print, printJson, ProgressLine, storage } from '../report.ts';
import { requireTuned } from '../tuning-file.ts';

interface RunFlags extends NetworkFlags, WeightsFlags, ScheduleFlags, TunedFlags {
  readonly input?: string;
  readonly output?: string;
  readonly top: number;
  readonly json?: boolean;
}

/** What was said of one image. */
interface ImageResult extends Partial<RunTimes> {
  /** The image's path, or the tensor's path and index. */
  readonly image: string;
  readonly top: readonly Classification[];
}

/** Absent of an image that ran in a batch with others. */
type RunTimes = Pick<RunResult, 'latencyMs' | 'gpuTimeMs'>;

export function addRunCommand(program: Command, signal: AbortSignal): void {
  const command = program
    .command('run')
    .summary('run a network on images, or on a tensor')
    .argument('[images...]', 'PNG, JPEG or WebP files');
  command.description(
    'Runs a network on images, one after the other, or on a tensor, and prints the most likely classes. ' +
      "The options in the weights file's metadata are the defaults; flags win.",
  );
  addWeightsOptions(command)
    .option(
      '--input <file>',
      'instead of images: a .safetensors file of one tensor "input", f32 [N, C, H, W], already normalised',
    )
    .option('--output <file>', 'write a .safetensors file of one tensor "logits", f32 [N, classes]')
    .option('--top <k>', 'how many classes to print', integer(), 5);
  addJsonOption(addTunedOptions(addScheduleOption(addNetworkOptions(command))));
  command.addHelpText(
    'after',
    '\nExamples:\n  compconv run --weights model.safetensors photo.jpg --top 3\n' +
      '  compconv run --arch resnet50 --c0 128 --weights w.safetensors --input x.safetensors --output y.safetensors\n' +
      '  compconv run --arch resnet18 --plain --seed 1 photo.jpg --json',
  );
  command.action((images: readonly string[], flags: RunFlags) => run(images, flags, signal));
}

async function run(images: readonly string[], flags: RunFlags, signal: AbortSignal): Promise<void> {
  if ((flags.input !== undefined) === images.length > 0) {
    throw new CompConvError('invalid-argument', 'run: give either image files or --input with a file');
  }
  if (flags.output !== undefined) {
    for (const source of [flags.input, flags.weights, ...images]) await requireOther(flags.output, source);
    await requireWritable(flags.output);
  }
  const network = await modelOf('run', flags);
  const tensor = flags.input === undefined ? undefined : await readInput(flags.input);
  // Before the GPU is opened: what cannot be read is known at once.
  const first = images.length > 0 ? await decodeImage(images[0]) : undefined;
  const model = sizedFor(network, flags.input, tensor);
  const progress = new ProgressLine();
  const { gpu } = await openNodeGpu();
  const session = await createSession(model, {
    gpu,
    signal,
    ...scheduleOptions(flags),
    ...tuningOptions(flags),
    onProgress: ({ phase, done, total }) =>
      progress.update(`${phase} ${Math.round((100 * done) / Math.max(total, 1))} %`),
  });
  try {
    if (flags.tuned) requireTuned(session);
    const results: ImageResult[] = [];
    const logits: Tensor[] = [];
    const runs: RunTimes[] = [];
    const keep = ({ output, latencyMs, gpuTimeMs }: RunResult, name: (index: number) => string) => {
      const times = { latencyMs, ...(gpuTimeMs !== undefined && { gpuTimeMs }) };
      logits.push(output);
      runs.push(times);
      const [n, classes] = output.shape;
      for (let i = 0; i < n; i++) {
        const top = topK(output.data.subarray(i * classes, (i + 1) * classes), model.labels, flags.top);
        results.push({ image: name(i), ...(n === 1 && times), top });
      }
    };
    if (tensor) keep(await session.runTimed(tensor), (index) => `${flags.input}[${index}]`);
    for (const [index, path] of images.entries()) {
      throwIfAborted(signal);
      progress.update(`image ${index + 1} of ${images.length}`);
      keep(await session.runTimed(first && index === 0 ? first : await decodeImage(path)), () => path);
    }
    progress.clear();
    if (flags.output !== undefined) await writeLogits(flags.output, stack(logits));
    if (flags.json) printJson(report(session, results, runs));
    else printReport(session, results, runs);
  } finally {
    progress.clear();
    session.dispose();
  }
}

/** The model for the size that will be run, so that no other one is prepared. */
function sizedFor(model: NetworkModel, path: string | undefined, tensor: Tensor | undefined): NetworkModel {
  const { c } = shapeOf(model.graph, model.graph.input);
  if (!tensor) {
    const side = model.preprocess.crop ?? model.preprocess.size;
    return { ...model, graph: withInputShape(model.graph, { n: 1, h: side, w: side, c }) };
  }
  const [n, channels, h, w] = tensor.shape;
  if (channels !== c) {
    throw new CompConvError(
      'invalid-argument',
      `${path}: ${model.graph.name} takes [N, ${c}, H, W], "input" is ${formatShape(tensor.shape)}`,
    );
  }
  return { ...model, graph: withInputShape(model.graph, { n, h, w, c }) };
}

/** Rows of several tensors `[n, classes]` as one. */
function stack(parts: readonly Tensor[]): Tensor {
  const [, classes] = parts[0].shape;
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.data.length, 0));
  parts.reduce((offset, part) => (data.set(part.data, offset), offset + part.data.length), 0);
  return { shape: [data.length / classes, classes], data };
}

function report(session: Session, results: readonly ImageResult[], runs: readonly RunTimes[]): object {
  const gpuTimeMs = runs.reduce<number | undefined>((sum, run) => (sum === undefined || run.gpuTimeMs === undefined ? undefined : sum + run.gpuTimeMs), 0);
  const { macs, params } = session.cost.total;
  const { dispatches, pipelines } = summarizePlan(session.plan);
  return {
    network: session.graph.name,
    adapter: session.adapter.name,
    software: session.adapter.isSoftware,
    ...storage(session).json,
    macs,
    params,
    dispatches,
    pipelines,
    // Of all images.
    latencyMs: runs.reduce((sum, { latencyMs }) => sum + latencyMs, 0),
    ...(gpuTimeMs !== undefined && { gpuTimeMs }),
    // For one image the answer lies on top.
    ...(results.length === 1 && { top: results[0].top }),
    images: results,
  };
}

function printReport(session: Session, results: readonly ImageResult[], runs: readonly RunTimes[]): void {
  const { macs, params } = session.cost.total;
  const { dispatches } = summarizePlan(session.plan);
  const { n } = shapeOf(session.graph, session.graph.input);
  const isBatch = n > 1;
  print(
    `${session.graph.name}: ${count(macs)} MACs${isBatch ? ` for a batch of ${n}` : ''}, ${count(params)} parameters, ${dispatches} dispatches`,
    `on ${session.adapter.name}, ${storage(session).text}`,
    ...(isBatch ? [`the batch took ${timesText(runs[0])}`] : []),
  );
  for (const { image, latencyMs, gpuTimeMs, top } of results) {
    print('', `${printable(image)}${latencyMs === undefined ? '' : `  ${timesText({ latencyMs, gpuTimeMs })}`}`);
    print(...top.map(({ label, score }) => `  ${percent(score).padStart(8)}  ${printable(label)}`));
  }
}

function timesText({ latencyMs, gpuTimeMs }: RunTimes): string {
  return `${milliseconds(latencyMs)}${gpuTimeMs === undefined ? '' : `, ${milliseconds(gpuTimeMs)} on the GPU`}`;
}

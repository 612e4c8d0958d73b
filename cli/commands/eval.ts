/** `compconv eval`: how many images of an IDX data set (MNIST, Fashion-MNIST) a network gets right. */

import type { Command } from 'commander';
import { openNodeGpu } from '../node-adapter.ts';
import { CompConvError, throwIfAborted } from '../../src/errors.ts';
import { networkCost } from '../../src/graph/cost.ts';
import { shapeOf, withInputShape } from '../../src/graph/graph.ts';
import { createSession } from '../../src/runtime/session.ts';
import { summarizePlan } from '../../src/scheduler/plan.ts';
import { formatShape } from '../../src/tensor/tensor.ts';
import { grayPictures, type IdxArray } from '../../src/vision/idx.ts';
import { readIdx } from '../files.ts';
import {
  addJsonOption,
  addNetworkOptions,
  addScheduleOption,
  addTunedOptions,
  tuningOptions,
  scheduleOptions,
  integer,
  loadWeights,
  type NetworkFlags,
  type ScheduleFlags,
  type TunedFlags,
} from '../options.ts';
import { count, milliseconds, percent, print, printJson, ProgressLine, storage } from '../report.ts';
import { requireTuned } from '../tuning-file.ts';

interface EvalFlags extends NetworkFlags, ScheduleFlags, TunedFlags {
  readonly weights: string;
  readonly images: string;
  readonly labels: string;
  readonly limit?: number;
  readonly batch: number;
  readonly json?: boolean;
}

interface DataSet {
  /** `[N, H, W]` */
  readonly images: IdxArray;
  /** `[N]` */
  readonly labels: IdxArray;
  /** How many of them to use. */
  readonly total: number;
}

/** So many logits go into the report, to be compared with another implementation's. */
const FIRST = 8;

export function addEvalCommand(program: Command, signal: AbortSignal): void {
  const command = program.command('eval').summary('accuracy on an IDX data set (MNIST, Fashion-MNIST)');
  command.description(
    'Counts how many images of an IDX data set a network gets right. They are resized and normalised as the weights file says, ' +
      'in three channels if the network takes three.',
  );
  command
    .requiredOption('--weights <file>', 'weights: a .safetensors file of a PyTorch state_dict')
    .requiredOption('--images <file>', 'images, IDX [N, H, W] of bytes, gzipped or not')
    .requiredOption('--labels <file>', 'labels, IDX [N] of bytes, gzipped or not')
    .option('--limit <n>', 'only the first so many images', integer())
    .option('--batch <n>', 'images in one run', integer(), 100);
  addJsonOption(addTunedOptions(addScheduleOption(addNetworkOptions(command))));
  command.addHelpText(
    'after',
    '\nExample:\n  compconv eval --weights fashion-mnist-compconv.safetensors --images t10k-images-idx3-ubyte.gz \\\n' +
      '    --labels t10k-labels-idx1-ubyte.gz',
  );
  command.action((flags: EvalFlags) => runEval(flags, signal));
}

async function runEval(flags: EvalFlags, signal: AbortSignal): Promise<void> {
  const data = await readDataSet(flags);
  const model = await loadWeights(flags.weights, flags);
  requireClasses(flags.labels, data, shapeOf(model.graph, model.graph.output).c);
  const { macs, params } = networkCost(model.graph).total;

  const progress = new ProgressLine();
  const batch = Math.min(flags.batch, data.total);
  const graph = withInputShape(model.graph, { ...shapeOf(model.graph, model.graph.input), n: batch });
  const { gpu } = await openNodeGpu();
  const session = await createSession({ ...model, graph }, { gpu, signal, ...scheduleOptions(flags), ...tuningOptions(flags) });
  try {
    if (flags.tuned) requireTuned(session);
    let correct = 0;
    let latencyMs = 0;
    const firstLogits: number[][] = [];
    for (let begin = 0; begin < data.total; begin += batch) {
      throwIfAborted(signal);
      const end = Math.min(begin + batch, data.total);
      const result = await session.runTimed(grayPictures(data.images, begin, end));
      latencyMs += result.latencyMs;
      const [n, classes] = result.output.shape;
      for (let i = 0; i < n; i++) {
        const logits = result.output.data.subarray(i * classes, (i + 1) * classes);
        if (firstLogits.length < FIRST) firstLogits.push([...logits]);
        if (argMax(logits) === data.labels.data[begin + i]) correct++;
      }
      progress.update(`${end} of ${data.total} images, ${percent(correct / end)} correct`);
    }
    progress.clear();
    const { total } = data;
    const accuracy = correct / total;
    const { name: adapter, isSoftware: software } = session.adapter;
    if (flags.json) {
      const { dispatches } = summarizePlan(session.plan);
      const timing = { latencyMs, latencyPerImageMs: latencyMs / total, batch };
      printJson({
        network: graph.name,
        adapter,
        software,
        ...storage(session).json,
        correct,
        total,
        accuracy,
        ...timing,
        macs,
        params,
        dispatches,
        firstLogits,
      });
    } else {
      print(
        `${correct} of ${total} correct: ${percent(accuracy)}`,
        `${graph.name}: ${count(macs)} MACs for an image, ${count(params)} parameters`,
        `${milliseconds(latencyMs)} in all, ${milliseconds(latencyMs / total)} for an image in batches of ${batch}`,
        `on ${adapter}, ${storage(session).text}`,
      );
    }
  } finally {
    progress.clear();
    session.dispose();
  }
}

/** @throws io, invalid-file */
async function readDataSet({ images: imagesPath, labels: labelsPath, limit = Infinity }: EvalFlags): Promise<DataSet> {
  const [images, labels] = [await readIdx(imagesPath), await readIdx(labelsPath)];
  const expectRank = (path: string, { shape }: IdxArray, rank: number, what: string) => {
    if (shape.length === rank && !shape.includes(0)) return;
    throw new CompConvError(
      'invalid-file',
      `${path}: holds ${formatShape(shape)}, expected ${what}; are --images and --labels swapped?`,
    );
  };
  expectRank(imagesPath, images, 3, 'images [N, H, W]');
  expectRank(labelsPath, labels, 1, 'labels [N]');
  if (images.shape[0] !== labels.shape[0]) {
    throw new CompConvError(
      'invalid-file',
      `${labelsPath}: has ${labels.shape[0]} labels for the ${images.shape[0]} images of ${imagesPath}`,
    );
  }
  return { images, labels, total: Math.min(images.shape[0], limit) };
}

/** A label beyond the network's classes is of another data set: counting it as a wrong answer would say something false of the network. @throws invalid-file */
function requireClasses(path: string, { labels, total }: DataSet, classes: number): void {
  const image = labels.data.subarray(0, total).findIndex((label) => label >= classes);
  if (image >= 0) throw new CompConvError('invalid-file', `${path}: label ${labels.data[image]} (image ${image}), but the network has ${classes} classes`);
}

/** The first index of the largest value. */
function argMax(values: Float32Array): number {
  return values.reduce((best, value, index) => (value > values[best] ? index : best), 0);
}

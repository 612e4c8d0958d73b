/** `compconv export`: a network as an ONNX file, which other runtimes run; no GPU needed. */

import type { Command } from 'commander';
import { CompConvError, throwIfAborted } from '../../src/errors.ts';
import type { NetworkModel } from '../../src/models/read-model.ts';
import { foldedNetwork } from '../../src/onnx/fold-batch-norms.ts';
import { encodeModel, OPSET } from '../../src/onnx/model.ts';
import { onnxModel } from '../../src/onnx/nodes.ts';
import { formatShape } from '../../src/tensor/tensor.ts';
import { printable } from '../failure.ts';
import { requireOther, requireWritable, writeBytes } from '../files.ts';
import {
  addJsonOption,
  addNetworkOptions,
  addSizeOptions,
  addWeightsOptions,
  inputSize,
  modelOf,
  type NetworkFlags,
  type SizeFlags,
  type WeightsFlags,
} from '../options.ts';
import { byteSize, print, printJson, ProgressLine } from '../report.ts';

interface ExportFlags extends NetworkFlags, WeightsFlags, SizeFlags {
  readonly out?: string;
  readonly json?: boolean;
}

export function addExportCommand(program: Command, signal: AbortSignal): void {
  const command = program.command('export').summary('write a network as an ONNX file').argument('[file]', 'where to write it');
  command.description(
    'Writes a network as an ONNX file with its weights inside: CompConv as plain operators, BatchNorms folded into the ' +
      'weights, nodes with the names of the layers, input and output of one size. A file that is there is replaced. ' +
      'Needs no GPU.',
  );
  addNetworkOptions(addWeightsOptions(command).option('--out <file>', 'where to write it, if not given as an argument'));
  addJsonOption(addSizeOptions(command));
  command.addHelpText(
    'after',
    '\nExamples:\n  compconv export --weights model.safetensors model.onnx\n' +
      '  compconv export --arch resnet50 --c0 128 --seed 1 --size 224 --batch 8 --out resnet50.onnx',
  );
  command.action((file: string | undefined, flags: ExportFlags) => run(file, flags, signal));
}

async function run(file: string | undefined, flags: ExportFlags, signal: AbortSignal): Promise<void> {
  const path = file ?? flags.out;
  if (path === undefined || (file !== undefined && flags.out !== undefined)) {
    throw new CompConvError('invalid-argument', 'export: give one file to write, e.g. model.onnx');
  }
  await requireOther(path, flags.weights);
  await requireWritable(path);
  const network = await modelOf('export', flags, inputSize(flags));
  const model = onnxModel(foldedNetwork(network.graph, network.weights), metadata(network));
  const progress = new ProgressLine();
  try {
    const bytes = encodeModel(model, (done, total) => progress.update(`weights ${Math.round((100 * done) / total)} %`));
    throwIfAborted(signal);
    await writeBytes(path, bytes);
    progress.clear();
    const { name, nodes, input, output } = model;
    if (flags.json) {
      const shapes = { inputShape: input.dims, outputShape: output.dims };
      printJson({ network: name, options: network.options, ...shapes, opset: OPSET, nodes: nodes.length, byteLength: bytes.length, file: path });
    } else {
      print(
        `${name}: input ${formatShape(input.dims)}, output ${formatShape(output.dims)}, ${nodes.length} nodes of opset ${OPSET}`,
        `written to ${printable(path)}, ${byteSize(bytes.length)}`,
      );
    }
  } finally {
    progress.clear();
  }
}

/** What a .safetensors file of this network would say of it, under the same keys. */
function metadata({ options, preprocess, labels }: NetworkModel): Record<string, string> {
  return {
    compconv: JSON.stringify(options),
    preprocess: JSON.stringify(preprocess),
    ...(labels && { labels: JSON.stringify(labels) }),
  };
}

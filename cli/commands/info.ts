/** `compconv info`: what a network costs, by the formulas; no GPU needed. */

import type { Command } from 'commander';
import { networkCost, type LayerCost } from '../../src/graph/cost.ts';
import { shapeOf } from '../../src/graph/graph.ts';
import type { ImageShape } from '../../src/tensor/image-shape.ts';
import {
  addJsonOption,
  addNetworkOptions,
  addSizeOptions,
  loadGraph,
  type NetworkFlags,
  type SizeFlags,
} from '../options.ts';
import { byteSize, count, print, printJson, table } from '../report.ts';

interface InfoFlags extends NetworkFlags, SizeFlags {
  readonly weights?: string;
  readonly layers?: boolean;
  readonly json?: boolean;
}

export function addInfoCommand(program: Command): void {
  const command = program.command('info').summary('cost of a network: MACs, parameters, bytes');
  command.description(
    'Prints what a network costs: multiply-accumulates (MACs; the CompConv paper calls them FLOPs), ' +
      'FLOPs (2 x MACs), parameters and bytes. Needs no GPU.',
  );
  addNetworkOptions(command).option(
    '--weights <file>',
    'take the network from the metadata of this .safetensors file; flags win',
  );
  addJsonOption(addSizeOptions(command).option('--layers', 'one line for each layer'));
  command.addHelpText(
    'after',
    '\nExamples:\n  compconv info --arch resnet50 --c0 128\n  compconv info --arch vgg16_bn --plain --layers\n' +
      '  compconv info --weights model.safetensors --json',
  );
  command.action(runInfo);
}

async function runInfo(flags: InfoFlags): Promise<void> {
  const { graph, options, fileBytes } = await loadGraph(flags);
  const { layers, total } = networkCost(graph);
  const input = nchw(shapeOf(graph, graph.input));
  const output = nchw(shapeOf(graph, graph.output));
  if (flags.json) {
    const perLayer = layers.map(({ output: shape, ...layer }) => ({ ...layer, outputShape: nchw(shape) }));
    printJson({
      network: graph.name,
      options,
      inputShape: input,
      outputShape: output,
      ...total,
      ...(fileBytes !== undefined && { fileBytes }),
      ...(flags.layers && { layers: perLayer }),
    });
    return;
  }
  if (flags.layers) print(...layerTable(layers), '');
  print(
    `${graph.name}: [${input.join(', ')}] -> [${output.join(', ')}]`,
    ...table(
      ['', ''],
      [
        ['MACs', count(total.macs)],
        ['FLOPs', count(total.flops)],
        ['parameters', count(total.params)],
        // A file is of another size: as F16 or BF16 it is half as large, and it holds running statistics too.
        ['weights', `${byteSize(total.weightBytes)} as f32`],
        ...(fileBytes === undefined ? [] : [['file', byteSize(fileBytes)]]),
        ['activations', `${byteSize(total.activationBytes)} as f32, read and written`],
      ],
    ).slice(1),
  );
}

function layerTable(layers: readonly LayerCost[]): string[] {
  return table(
    ['layer', 'op', 'depth', 'output', 'MACs', 'parameters', 'weight bytes', 'activation bytes'],
    layers.map((layer) => [
      layer.name,
      layer.op,
      layer.depth === undefined ? '' : String(layer.depth),
      `[${nchw(layer.output).join(', ')}]`,
      count(layer.macs),
      count(layer.params),
      count(layer.weightBytes),
      count(layer.activationBytes),
    ]),
  );
}

/** As users of `run` write shapes: `[N, C, H, W]`. */
function nchw({ n, c, h, w }: ImageShape): number[] {
  return [n, c, h, w];
}

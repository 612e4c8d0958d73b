/**
 * ResNet as torchvision builds it (v1.5: a bottleneck's stride is on its 3x3), with torchvision's module names, and the
 * small ResNet for 28 x 28 images (3x3 stride-1 stem, no max pool).
 */
import { GraphBuilder } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import type { ImageShape } from '../tensor/image-shape.ts';

type Block = (g: GraphBuilder, name: string, x: string, width: number, stride: number, project: boolean) => string;

export interface ResNetConfig {
  readonly name: string;
  readonly block: 'basic' | 'bottleneck';
  /** Blocks per stage. */
  readonly blocks: readonly number[];
  /** Channels of each stage before a bottleneck's fourfold expansion. */
  readonly widths: readonly number[];
  /** `imagenet`: 7x7 stride 2, max pool. `small`: 3x3 stride 1, no max pool. */
  readonly stem: 'imagenet' | 'small';
}

export const RESNETS = {
  resnet18: { name: 'ResNet18', block: 'basic', blocks: [2, 2, 2, 2] },
  resnet34: { name: 'ResNet34', block: 'basic', blocks: [3, 4, 6, 3] },
  resnet50: { name: 'ResNet50', block: 'bottleneck', blocks: [3, 4, 6, 3] },
  resnet101: { name: 'ResNet101', block: 'bottleneck', blocks: [3, 4, 23, 3] },
  resnet152: { name: 'ResNet152', block: 'bottleneck', blocks: [3, 8, 36, 3] },
} as const;

export const IMAGENET_WIDTHS = [64, 128, 256, 512] as const;

/** Builds a ResNet for `input` `[N, H, W, C]`; output `[N, 1, 1, classes]` logits. @throws invalid-graph */
export function resnet(config: ResNetConfig, input: ImageShape, classes: number): Graph {
  const g = new GraphBuilder();
  const { widths } = config;
  let x = g.input(input);
  const stem = config.stem === 'imagenet' ? { kernelSize: 7, stride: 2, padding: 3 } : { kernelSize: 3, padding: 1 };
  x = g.relu('relu', g.batchNorm('bn1', g.conv2d('conv1', x, widths[0], stem)));
  if (config.stem === 'imagenet') x = g.maxPool('maxpool', x, 3, 2, 1);

  const block = config.block === 'basic' ? basicBlock : bottleneck;
  const expansion = config.block === 'basic' ? 1 : 4;
  let channels = widths[0];
  config.blocks.forEach((count, stage) => {
    for (let i = 0; i < count; i++) {
      const stride = i === 0 && stage > 0 ? 2 : 1;
      const project = stride > 1 || channels !== widths[stage] * expansion;
      x = block(g, `layer${stage + 1}.${i}`, x, widths[stage], stride, project);
      channels = widths[stage] * expansion;
    }
  });
  g.linear('fc', g.avgPool('avgpool', x, 1, 1), classes);
  return g.build(config.name);
}

const basicBlock: Block = (g, name, x, width, stride, project) => {
  const shortcut = project ? downsample(g, name, x, width, stride) : x;
  let y = g.conv2d(`${name}.conv1`, x, width, { kernelSize: 3, stride, padding: 1 });
  y = g.relu(`${name}.relu1`, g.batchNorm(`${name}.bn1`, y));
  y = g.conv2d(`${name}.conv2`, y, width, { kernelSize: 3, padding: 1 });
  y = g.batchNorm(`${name}.bn2`, y);
  return g.relu(`${name}.relu2`, g.add(`${name}.add`, y, shortcut));
};

const bottleneck: Block = (g, name, x, width, stride, project) => {
  const shortcut = project ? downsample(g, name, x, 4 * width, stride) : x;
  let y = g.conv2d(`${name}.conv1`, x, width, { kernelSize: 1 });
  y = g.relu(`${name}.relu1`, g.batchNorm(`${name}.bn1`, y));
  y = g.conv2d(`${name}.conv2`, y, width, { kernelSize: 3, stride, padding: 1 });
  y = g.relu(`${name}.relu2`, g.batchNorm(`${name}.bn2`, y));
  y = g.conv2d(`${name}.conv3`, y, 4 * width, { kernelSize: 1 });
  y = g.batchNorm(`${name}.bn3`, y);
  return g.relu(`${name}.relu3`, g.add(`${name}.add`, y, shortcut));
};

function downsample(g: GraphBuilder, name: string, x: string, channels: number, stride: number): string {
  return g.batchNorm(`${name}.downsample.1`, g.conv2d(`${name}.downsample.0`, x, channels, { kernelSize: 1, stride }));
}

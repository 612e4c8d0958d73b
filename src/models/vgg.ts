/** VGG as torchvision builds it, with and without BatchNorm, with torchvision's module names (`features.0`, ...). */
import { GraphBuilder } from '../graph/builder.ts';
import type { Graph } from '../graph/graph.ts';
import type { ImageShape } from '../tensor/image-shape.ts';

/** Convolutions per stage; a stage is its convolutions and a 2x2 max pool. */
export const VGGS = {
  vgg11: [1, 1, 2, 2, 2],
  vgg13: [2, 2, 2, 2, 2],
  vgg16: [2, 2, 3, 3, 3],
  vgg19: [2, 2, 4, 4, 4],
} as const;

const WIDTHS = [64, 128, 256, 512, 512];

/** Builds a VGG for `input` `[N, H, W, C]`; output `[N, 1, 1, classes]` logits. Dropout is absent in inference. @throws invalid-graph */
export function vgg(arch: keyof typeof VGGS, batchNorm: boolean, input: ImageShape, classes: number): Graph {
  const g = new GraphBuilder();
  let x = g.input(input);
  let index = 0;
  const feature = () => `features.${index++}`;
  VGGS[arch].forEach((convs, stage) => {
    for (let i = 0; i < convs; i++) {
      // torchvision's convolutions have a bias even where BatchNorm follows.
      x = g.conv2d(feature(), x, WIDTHS[stage], { kernelSize: 3, padding: 1, bias: true });
      if (batchNorm) x = g.batchNorm(feature(), x);
      x = g.relu(feature(), x);
    }
    x = g.maxPool(feature(), x, 2, 2);
  });
  x = g.avgPool('avgpool', x, 7, 7);
  x = g.relu('classifier.1', g.linear('classifier.0', x, 4096));
  x = g.relu('classifier.4', g.linear('classifier.3', x, 4096));
  g.linear('classifier.6', x, classes);
  return g.build(`${arch.toUpperCase()}${batchNorm ? '-BN' : ''}`);
}

/** Two chained ops in one dispatch against the CPU reference: every kind of module, sizes around the tiles, residuals, f16. */
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { graphParams, shapeOf, type Graph } from '../../src/graph/graph.ts';
import type { CompConvAttrs } from '../../src/ops/comp-conv.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import { passNames, schedule, DEFAULT_LIMITS } from '../../src/scheduler/schedule.ts';
import type { ImageShape } from '../../src/tensor/image-shape.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import { expectClose } from '../support/compare.ts';
import { useGpu } from '../support/gpu.ts';
import type { RunGraphOptions } from '../support/run-graph.ts';
import { distinctValues } from '../support/random.ts';

const gpu = useGpu();

interface Case extends Partial<CompConvAttrs> {
  readonly x: ImageShape;
  /** Added to the module's result: by another module, in the same order; or by a plain convolution, in that of the graph. */
  readonly residual?: 'module' | 'plain';
}

const image = (n: number, h: number, w: number, c: number): ImageShape => ({ n, h, w, c });

/** A module with BatchNorm, perhaps a residual, and ReLU behind it, and a convolution that reads it in its own order. */
function build({ x: shape, residual, ...options }: Case): Graph {
  const kernelSize = options.kernelSize ?? 3;
  const attrs: CompConvAttrs = {
    op: 'comp-conv', outChannels: 38, kernelSize, stride: 1, padding: (kernelSize - 1) / 2, depth: 2, shuffleGroups: 2,
    inner: 'linear', bias: false, innerBias: false, ...options,
  };
  const g = new GraphBuilder();
  const x = g.input(shape);
  const { outChannels, stride, padding } = attrs;
  const plainShortcut = () => g.conv2d('shortcut', x, outChannels, { kernelSize, stride, padding });
  const shortcut = residual === 'module' ? g.node('shortcut', attrs, x) : residual && plainShortcut();
  const normed = g.batchNorm('bn', g.node('module', attrs, x));
  g.conv2d('reader', g.relu('relu', shortcut ? g.add('add', normed, shortcut) : normed), 7, { kernelSize: 1 });
  return g.build('module');
}

const cases: Case[] = [];
for (const depth of [1, 2, 3] as const) {
  for (const kernelSize of [1, 3]) {
    for (const stride of [1, 2]) {
      const residual = [undefined, 'module', 'plain'] as const;
      cases.push({ depth, kernelSize, stride, x: image(2, 7, 9, 21), residual: residual[(depth + kernelSize + stride) % 3] });
    }
  }
}
cases.push(
  // Tiles of the tail kernel: none whole, whole ones, one more pixel each way.
  { depth: 1, x: image(1, 1, 1, 3), outChannels: 6 },
  { depth: 1, x: image(3, 8, 16, 5), outChannels: 10, shuffleGroups: 1 },
  { depth: 2, x: image(1, 17, 9, 12), residual: 'plain' },
  { depth: 1, x: image(2, 17, 19, 3), stride: 2, residual: 'module' },
  { depth: 3, x: image(1, 9, 11, 30), inner: 'bn-relu', innerBias: true, residual: 'module' },
  { depth: 1, x: image(2, 9, 5, 7), inner: 'bn-relu', stride: 2 },
  // Biases inside, which do not hinder a tail.
  { depth: 2, x: image(1, 9, 9, 10), innerBias: true },
  { depth: 1, x: image(2, 5, 5, 10), innerBias: true, bias: true },
  // Pixels of the module kernel: many, in tiles of several sizes; and so many channels that only few pixels fit.
  { depth: 2, kernelSize: 1, x: image(2, 31, 33, 13), outChannels: 20 },
  { depth: 3, kernelSize: 1, x: image(1, 29, 30, 64), outChannels: 56, residual: 'module' },
  { depth: 3, kernelSize: 1, x: image(1, 5, 5, 512), outChannels: 256, stride: 2 },
  { depth: 3, kernelSize: 1, x: image(1, 3, 3, 512), outChannels: 2048, residual: 'plain' },
  { depth: 2, kernelSize: 1, x: image(1, 65, 97, 9), outChannels: 10, stride: 1 },
);

/** What its plan must have for the case to test anything. */
function expectedKernel({ kernelSize = 3, depth }: Case): string | undefined {
  if (kernelSize === 3) return 'conv2d-then-depthwise';
  return depth === 1 ? undefined : 'conv2d-then-conv2d';
}

// What is collapsed leaves nothing to chain.
const options: RunGraphOptions = { forcedPasses: passNames, withoutPasses: ['collapse-modules'], hasQuads: false };
const name = ({ x: { n, h, w, c }, ...attrs }: Case) => `x=[${n},${h},${w},${c}] ${JSON.stringify(attrs)}`;

async function check(graph: Graph, dtype: 'f32' | 'f16', relativeL2: number): Promise<void> {
  const { n, h, w, c } = shapeOf(graph, graph.input);
  const input = { shape: [n, c, h, w], data: distinctValues(n * c * h * w, 3) };
  const weights = seededWeights(graphParams(graph), 11);
  const expected = toTensor(runReference(graph, weights, input).get(graph.output)!);
  const actual = await gpu.run(graph, weights, input, { ...options, dtype });
  expectClose(actual.data, expected.data, { relativeL2 });
}

describe('modules', () => {
  test.each(cases.map((some) => [name(some), some] as const))('%s', async (_, some) => {
    const graph = build(some);
    const kernels = schedule(graph, DEFAULT_LIMITS, options).dispatches.map(({ kernel }) => kernel.name);
    const expected = expectedKernel(some);
    if (expected) expect(kernels).toContain(expected);
    await check(graph, 'f32', 1e-6);
  });

  // One of each kernel, with the others that lavapipe compiles in seconds.
  const stored = cases.filter(({ depth, kernelSize, stride }) => stride === 2 && (kernelSize === 3 ? depth === 1 : depth === 3)).slice(0, 2);
  test.each(stored.map((some) => [name(some), some] as const))('as f16, where the adapter has it: %s', async (_, some) => {
    if (gpu.hasF16) await check(build(some), 'f16', 5e-3);
  });
});

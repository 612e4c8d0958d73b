/**
 * Every tile of a convolution on everything it can compute, whether a prediction would pick it or not: shapes that no tile
 * divides, and modules that write parts and copies. Tiles for GPUs run here too, forced by a choice.
 */
import { afterAll, describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { graphParams, shapeOf, type Graph } from '../../src/graph/graph.ts';
import { conv2dKernels } from '../../src/kernels/conv2d-tiles.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import { schedule, type ScheduleLimits } from '../../src/scheduler/schedule.ts';
import type { Dtype } from '../../src/tensor/dtype.ts';
import type { ImageShape } from '../../src/tensor/image-shape.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import { orderedGraphs } from '../scheduler/ordered-graphs.ts';
import { dotTolerance, expectClose } from '../support/compare.ts';
import { useGpu } from '../support/gpu.ts';
import { distinctValues } from '../support/random.ts';

const gpu = useGpu();
const names = conv2dKernels.map(({ name }) => name).filter((name) => !name.endsWith('-parts'));
const ran = new Set<string>();
/** Of the graphs: parts with copies. */
const ON_SWIFTSHADER = ['biases inside 1x1 modules of depth 3 are not merged away'];

/** Runs a graph once with each tile wherever that can compute a convolution, and compares with the reference. */
async function checkTiles(
  graph: Graph,
  relativeL2: number,
  { tiles = names, dtype = 'f32', ...fewer }: { tiles?: readonly string[]; dtype?: Dtype } & Partial<ScheduleLimits> = {},
): Promise<void> {
  const weights = seededWeights(graphParams(graph), 7);
  const { n, h, w, c } = shapeOf(graph, graph.input);
  const input: Tensor = { shape: [n, c, h, w], data: distinctValues(n * c * h * w, 3) };
  const expected = toTensor(runReference(graph, weights, input).get(graph.output)!);
  for (const name of tiles) {
    // As on a GPU, but where it takes what only software adapters have.
    const isSoftware = name.includes('quad') && gpu.engine.limits.hasQuads === true;
    const limits = { ...gpu.engine.limits, isSoftware, hasQuads: isSoftware, ...fewer };
    const choices = choicesOf(graph, name, limits, dtype);
    if (choices.size === 0) continue;
    const actual = await gpu.run(graph, weights, input, { ...limits, choices, dtype });
    expectClose(actual.data, expected.data, { relativeL2 }, name);
  }
}

/** The choice of one tile for all convolutions of a graph that it can compute. Each choice can change what is chosen from. */
function choicesOf(graph: Graph, name: string, limits: ScheduleLimits, dtype: Dtype): Map<string, string> {
  const choices = new Map<string, string>();
  for (const { choice } of schedule(graph, limits, { dtype }).dispatches) {
    if (choice?.candidates.includes(name)) choices.set(choice.signature, name);
  }
  const { dispatches } = schedule(graph, limits, { dtype, choices });
  for (const { choice, kernel } of dispatches) {
    if (choice && choices.has(choice.signature)) expect(kernel.name.replace(/-parts$/, '')).toBe(name);
  }
  if (choices.size > 0) ran.add(name);
  return choices;
}

const image = (n: number, h: number, w: number, c: number): ImageShape => ({ n, h, w, c });

describe('one convolution', () => {
  const cases: [x: ImageShape, outChannels: number, k: number, s: number, p: number, groups?: number][] = [
    [image(1, 1, 1, 1), 1, 1, 1, 0],
    [image(2, 7, 9, 5), 19, 3, 1, 1],
    [image(1, 13, 11, 19), 37, 1, 2, 0],
    [image(3, 5, 5, 37), 8, 5, 1, 2],
    [image(1, 23, 17, 3), 67, 7, 2, 3],
    [image(2, 11, 13, 18), 139, 1, 1, 0],
    [image(1, 7, 7, 130), 35, 3, 1, 1],
    [image(1, 6, 5, 4), 12, 2, 1, 1],
    [image(1, 9, 9, 6), 7, 3, 3, 0],
    [image(1, 5, 7, 24), 36, 3, 1, 1, 3],
    [image(1, 5, 7, 6), 9, 3, 1, 1, 3],
    [image(1, 6, 5, 8), 12, 2, 1, 4], // Windows that lie beside the image.
  ];
  for (const [x, outChannels, kernelSize, stride, padding, groups = 1] of cases) {
    const text = `x=[${x.n},${x.h},${x.w},${x.c}] out=${outChannels} k=${kernelSize} s=${stride} p=${padding} g=${groups}`;
    const g = new GraphBuilder();
    g.input(x);
    g.relu('relu', g.batchNorm('bn', g.conv2d('conv', 'input', outChannels, { kernelSize, stride, padding, groups })));
    const graph = g.build('conv');
    // BatchNorm and ReLU take some more: a few terms.
    const tolerance = dotTolerance((kernelSize ** 2 * x.c) / groups + 2);
    test(text, () => checkTiles(graph, tolerance));
  }

  test('more workgroups than fit one dimension', async () => {
    const g = new GraphBuilder();
    g.conv2d('conv', g.input(image(1, 23, 31, 6)), 70, { kernelSize: 1 });
    await checkTiles(g.build('folded'), dotTolerance(6), { maxComputeWorkgroupsPerDimension: 41 });
  });
});

describe('modules: parts, tails, copies, residuals, zero blocks', () => {
  // SwiftShader takes seconds to compile each of these pipelines, so one graph has to do, and there one kernel of those that
  // differ in their slices only. COMPCONV_ALL_TILES=1 checks all graphs, in about ten minutes.
  const graphs = Object.entries(orderedGraphs()).filter(([name]) => process.env.COMPCONV_ALL_TILES || ON_SWIFTSHADER.includes(name));
  test.for(graphs)('%s', async ([, { graph }]) => {
    const isSlow = gpu.engine.adapter.name.includes('swiftshader');
    await checkTiles(graph, 1e-6, { tiles: isSlow ? names.filter((tile) => !/by(4|64)$/.test(tile)) : names });
  });
});

describe('f16 storage', () => {
  const g = new GraphBuilder();
  g.conv2d('conv', g.input(image(2, 7, 9, 37)), 43, { kernelSize: 3, padding: 1 });
  const graphs = { convolution: g.build('conv'), module: orderedGraphs()[ON_SWIFTSHADER[0]].graph };
  test.for(Object.entries(graphs))('%s', async ([, graph]) => {
    // What a session does without it is in f16.gpu.test.ts.
    if (gpu.hasF16) await checkTiles(graph, 5e-3, { dtype: 'f16' });
  });
});

afterAll(() => {
  const hasQuads = gpu.engine.limits.hasQuads === true;
  expect(names.filter((name) => !ran.has(name))).toEqual(hasQuads ? [] : names.filter((name) => name.includes('quad')));
});

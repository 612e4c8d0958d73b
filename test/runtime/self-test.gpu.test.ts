/** The self-test: all is well on the adapter at hand; a kernel that computes something else is found, and done without. */
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { graphParams, shapeOf, type Graph } from '../../src/graph/graph.ts';
import { compress } from '../../src/models/compress.ts';
import { createNetwork } from '../../src/models/network.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import type { EngineDevice } from '../../src/runtime/device.ts';
import { PacedQueue } from '../../src/runtime/paced-queue.ts';
import { PipelineCache } from '../../src/runtime/pipelines.ts';
import { selfTest, type SelfTestOptions, type SelfTestReport } from '../../src/runtime/self-test.ts';
import { pipelineKey } from '../../src/scheduler/plan.ts';
import { passNames, schedule, type ScheduleOptions } from '../../src/scheduler/schedule.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import { expectClose } from '../support/compare.ts';
import { useGpu } from '../support/gpu.ts';
import { withOtherCode } from '../support/other-code.ts';
import { distinctValues } from '../support/random.ts';
import { runGraph } from '../support/run-graph.ts';

const gpu = useGpu();

function runSelfTest(engine: EngineDevice, graph: Graph, scheduleOptions: ScheduleOptions, options?: SelfTestOptions): Promise<SelfTestReport> {
  const { device } = engine;
  const pipelines = new PipelineCache(device, scheduleOptions.dtype);
  return selfTest({ engine, queue: new PacedQueue(device), graph, scheduleOptions, pipelines }, options);
}

/** Kernels are for a GPU, chosen for it. */
const onGpu = (engine: EngineDevice): EngineDevice => ({ ...engine, limits: { ...engine.limits, isSoftware: false, hasQuads: false } });

/** A plain network with every op that has one kernel. */
function plain(): Graph {
  const g = new GraphBuilder();
  const x = g.input({ n: 2, h: 13, w: 11, c: 3 });
  const a = g.relu('relu1', g.batchNorm('bn', g.conv2d('conv1', x, 32, { kernelSize: 3, padding: 1 })));
  const b = g.relu('relu2', g.add('add', g.conv2d('conv2', a, 32, { kernelSize: 3, padding: 1 }), a));
  const depthwise = g.node('dw', { op: 'depthwise-conv2d', channels: 30, kernelSize: 3, stride: 1, padding: 1, bias: true }, g.maxPool('max', b, 3, 2, 1));
  const shuffled = g.node('shuffle', { op: 'channel-shuffle', groups: 3 }, depthwise);
  const slice = g.node('slice', { op: 'channel-slice', begin: 5, channels: 9, stride: 1 }, shuffled);
  const joined = g.node('joined', { op: 'channel-concat' }, g.maxPool('max2', slice, 3, 1, 1), g.maxPool('max3', shuffled, 3, 1, 1));
  const pointwise = g.batchNorm('bn2', g.maxPool('max4', joined, 1, 1));
  g.node('softmax', { op: 'softmax' }, g.linear('fc', g.avgPool('avg', pointwise, 2, 3), 10));
  return g.build('plain');
}

/** A bottleneck of modules: 1x1 of depth 3, 3x3 of depth 2, 1x1 of depth 2 with a residual. */
function modules(): Graph {
  const g = new GraphBuilder();
  const x = g.input({ n: 1, h: 17, w: 19, c: 3 });
  const a = g.relu('relu1', g.conv2d('conv1', x, 64, { kernelSize: 3, padding: 1 }));
  const b = g.relu('relu2', g.batchNorm('bn2', g.conv2d('conv2', a, 44, { kernelSize: 1 })));
  const c = g.relu('relu3', g.batchNorm('bn3', g.conv2d('conv3', b, 32, { kernelSize: 3, padding: 1 })));
  const d = g.batchNorm('bn4', g.conv2d('conv4', c, 64, { kernelSize: 1 }));
  g.linear('fc', g.avgPool('pool', g.relu('relu4', g.add('add', d, a)), 1, 1), 10);
  return compress(g.build('modules'), { depths: { conv2: 3, conv3: 2, conv4: 2 } });
}

/** One module between two convolutions: fewer kernels to compile than in `modules()`. */
function lone(kernelSize: 1 | 3): Graph {
  const g = new GraphBuilder();
  const a = g.relu('relu1', g.conv2d('conv1', g.input({ n: 1, h: 17, w: 19, c: 3 }), 32, { kernelSize: 1 }));
  const b = g.batchNorm('bn', g.conv2d('conv2', a, 32, { kernelSize, padding: (kernelSize - 1) / 2 }));
  g.linear('fc', g.avgPool('pool', g.relu('relu2', b), 1, 1), 10);
  return compress(g.build('module'), { depths: { conv2: 2 } });
}

const FORCED: ScheduleOptions = { forcedPasses: passNames, withoutPasses: ['collapse-modules'] };

describe('on the adapter at hand, every variant computes what it should', () => {
  const cases: [string, Graph, ScheduleOptions, ((engine: EngineDevice) => EngineDevice)?][] = [
    ['a plain network', plain(), {}],
    ['a small ResNet', createNetwork({ arch: 'resnet_small14' }), {}],
    ['a ResNet18 of CompConv', createNetwork({ arch: 'resnet18', c0: 64 }, { height: 64, width: 64 }), {}],
    ['a ResNet18 of CompConv by the reference schedule', createNetwork({ arch: 'resnet18', c0: 64 }, { height: 64, width: 64 }), { schedule: 'reference' }],
    ['a VGG11', createNetwork({ arch: 'vgg11' }, { height: 32, width: 32 }), {}],
    ['modules by the kernels of a GPU', modules(), {}, onGpu],
    ['modules, two ops in one dispatch', modules(), FORCED, onGpu],
  ];
  test.each(cases)('%s', async (_, graph, options, on = (engine: EngineDevice) => engine) => {
    const engine = on(gpu.engine);
    const steps: number[] = [];
    const report = await runSelfTest(engine, graph, options, { onProgress: ({ done, total }) => steps.push(done / total) });
    const worst = Math.max(...report.variants.map((variant) => variant.worst!));
    console.log(`${graph.name}: ${report.variants.length} variants in ${report.elapsedMs.toFixed(0)} ms, compilation included; worst ${worst.toFixed(2)}`);
    expect(report).toMatchObject({ ok: true, network: graph.name, adapter: engine.adapter.name, excluded: [] });
    expect(report.variants.flatMap(({ problem }) => problem ?? [])).toEqual([]);
    const keys = schedule(graph, engine.limits, options).dispatches.map(pipelineKey);
    expect(report.variants.map(({ variant }) => variant).sort()).toEqual([...new Set(keys)].sort());
    expect(worst).toBeLessThanOrEqual(1);
    for (const { elements, layer } of report.variants) {
      expect(elements).toBeGreaterThan(0);
      expect(graph.shapes.has(layer)).toBe(true);
    }
    // As plain data.
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(steps.at(-1)).toBe(1);
  });

  test('stored as f16, where the adapter has it', async () => {
    if (gpu.hasF16) expect(await runSelfTest(gpu.engine, modules(), { dtype: 'f16' })).toMatchObject({ ok: true });
  });
});

interface Sabotage {
  readonly what: string;
  readonly kernel: string;
  readonly from: string | RegExp;
  readonly to: string;
  readonly graph?: Graph;
  readonly options?: ScheduleOptions;
  readonly on?: (engine: EngineDevice) => EngineDevice;
}

const NAN = 'bitcast<f32>(0x7fc00000u | (pixel & 1u))';
const PARTS: Partial<Sabotage> = { graph: modules() };
const chained = (kernelSize: 1 | 3): Partial<Sabotage> => ({ graph: lone(kernelSize), options: FORCED, on: onGpu });

/** For whose kernel there is another one, or another form. */
const replaceable: Sabotage[] = [
  { what: 'one lane of the weights is 1 % off', kernel: 'conv2d-quad-8x32', from: 'a00 += x0.x * wx0 ', to: 'a00 += 1.01 * x0.x * wx0 ' },
  { what: 'the last row of an image is taken for padding', kernel: 'conv2d-quad-8x32', from: '< sizes.inHeight);', to: '+ 1 < sizes.inHeight);' },
  { what: 'two vec4s of channels are swapped', kernel: 'conv2d-quad-8x32', from: 'place.index = stores.offset + vector;', to: 'place.index = stores.offset + (vector ^ 1u);' },
  { what: 'a residual is subtracted', kernel: 'conv2d-quad-8x32', from: 'if (RESIDUAL == 1) { value +=', to: 'if (RESIDUAL == 1) { value -=' },
  { what: 'it does not compile', kernel: 'conv2d-quad-8x32', from: /$/, to: '\n no code' },
  { what: 'the last column of a tile is the one before', kernel: 'depthwise-conv2d-8x2', from: 'left + i32(kx) + 7, vector)', to: 'left + i32(kx) + 6, vector)' },
  { what: 'a missing tap', kernel: 'conv2d-quad-16x12', from: 'a32 += x3.w * ww2;', to: 'a32 += x3.w * ww2 * f32(i & 1);', ...PARTS },
  { what: 'slices begin one pixel later', kernel: 'conv2d-quad-16x12', from: 'if (COPIES == 1) { return pixel; }', to: 'if (COPIES == 1) { return min(pixel + 1, sizes.pixels - 1); }', ...PARTS },
  { what: 'NaN in one vec4', kernel: 'conv2d-quad-8x32', from: /reluIf\(\w+\.relu, (result|value)\)/, to: `select($&, vec4f(${NAN}), pixel == 64)`, ...PARTS },
  { what: 'a rim that is not computed', kernel: 'conv2d-then-depthwise', from: 'let oy = i32(top + row) - 1;', to: 'let oy = i32(top + row) - select(1, 2, row == 9);', ...chained(3) },
  { what: 'the second convolution begins one vec4 later', kernel: 'conv2d-then-conv2d', from: 'for (var i = skipped; i <', to: 'for (var i = skipped + 1; i <', ...chained(1) },
];

/** Of ops that have one kernel. */
const irreplaceable: Sabotage[] = [
  { what: 'the last input is left out', kernel: 'linear', from: 'i < sizes.inVectors;', to: 'i < sizes.inVectors - 1;' },
  { what: 'padding wins', kernel: 'max-pool', from: 'y[index] = Stored(value);', to: 'y[index] = Stored(max(value, vec4f(0)));' },
  { what: 'the last column is left out', kernel: 'max-pool', from: 'sizes.inWidth);', to: 'sizes.inWidth - 1);' },
  { what: 'one pixel more in the mean', kernel: 'avg-pool', from: '(xEnd - xBegin))', to: '(xEnd - xBegin) + 1)' },
  { what: 'the next channel', kernel: 'channel-shuffle', from: 'first + source.y * sizes.groupChannels', to: 'first + (source.y + 1) % sizes.groups * sizes.groupChannels' },
  { what: 'another input', kernel: 'channel-concat', from: 'c - sizes.end0; return', to: 'c - sizes.end0 + 1; return' },
  { what: 'the first channel twice', kernel: 'channel-slice', from: 'lane(source, lanes.y)', to: 'lane(source, lanes.x)' },
  { what: 'no shift', kernel: 'pointwise', from: '* affine[vector] + affine', to: '* affine[vector] - affine' },
  { what: 'a channel is not summed', kernel: 'softmax', from: 'sum += e;', to: 'sum += select(e, 0, c == 3);' },
  { what: 'padding is not 0', kernel: 'softmax', from: 'y[first + c] = 0;', to: 'y[first + c] = 1;' },
];

async function sabotaged({ kernel, from, to, graph = plain(), options = {}, on = (engine) => engine }: Sabotage) {
  const engine = on({ ...gpu.engine, device: withOtherCode(gpu.engine.device, kernel, (code) => code.replace(from, to)) });
  const report = await runSelfTest(engine, graph, options);
  const failed = report.variants.filter(({ status }) => status === 'failed');
  expect(failed.length).toBeGreaterThan(0);
  for (const variant of failed) {
    expect([kernel, `${kernel}-parts`], variant.problem).toContain(variant.kernel);
    expect(variant.problem!.length).toBeGreaterThan(20);
  }
  expect(report.excluded).toEqual(failed.map(({ variant }) => variant));
  return { engine, graph, options, report, failed };
}

describe('a kernel that computes something else is found, and done without', () => {
  test.each(replaceable.map((sabotage) => [`${sabotage.kernel}: ${sabotage.what}`, sabotage] as const))('%s', async (_, sabotage) => {
    const { engine, graph, options, report, failed } = await sabotaged(sabotage);
    expect(report.ok).toBe(true);
    for (const { replacement } of failed) expect(replacement!.length).toBeGreaterThan(0);
    const { n, h, w, c } = shapeOf(graph, graph.input);
    const input = { shape: [n, c, h, w], data: distinctValues(n * c * h * w, 3) };
    const weights = seededWeights(graphParams(graph), 11);
    const expected = toTensor(runReference(graph, weights, input).get(graph.output)!);
    const output = await runGraph(engine, graph, weights, input, { ...options, ...engine.limits, excluded: new Set(report.excluded) });
    expectClose(output.data, expected.data, { relativeL2: 1e-5 });
  });

  test.each(irreplaceable.map((sabotage) => [`${sabotage.kernel}: ${sabotage.what}`, sabotage] as const))('no other way: %s', async (_, sabotage) => {
    const { report, failed } = await sabotaged(sabotage);
    expect(report.ok).toBe(false);
    for (const { replacement } of failed) expect(replacement).toBeUndefined();
  });
});

/** A convolution, or a depthwise one, by itself. */
function single(kind: 'conv2d' | 'depthwise-conv2d'): Graph {
  const g = new GraphBuilder();
  const x = g.input({ n: 1, h: 9, w: 14, c: 35 });
  if (kind === 'conv2d') g.conv2d('op', x, 70, { kernelSize: 3, padding: 1 });
  else g.node('op', { op: 'depthwise-conv2d', channels: 33, kernelSize: 3, stride: 1, padding: 1, bias: true }, x);
  return g.build(kind);
}

describe('every kernel that there is to choose from is one that can be found wrong', () => {
  for (const kind of ['conv2d', 'depthwise-conv2d'] as const) {
    test(kind, async () => {
      const graph = single(kind);
      const { limits } = gpu.engine;
      // A GPU that also has what only software adapters do: all there are.
      const engine = { ...gpu.engine, limits: { ...limits, isSoftware: false } };
      const { signature, candidates } = schedule(graph, engine.limits).dispatches[0].choice!;
      expect(candidates.length).toBeGreaterThan(kind === 'conv2d' ? 9 : 1);
      const isSlow = limits.isSoftware === true;
      // SwiftShader compiles kernels with barriers for seconds; those that differ in their slices only are the same file.
      for (const kernel of candidates.filter((name) => !isSlow || !/by(4|64)$/.test(name))) {
        const options = { choices: new Map([[signature, kernel]]) };
        // One pixel of 126 in one vec4 of channels is off by a hundred-thousandth.
        const sabotage = { what: '', kernel, from: 'var value = sum;', to: 'var value = sum * select(1, 1.00002, pixel == 77 && place.index == 1);' };
        const { report, failed } = await sabotaged({ ...sabotage, graph, options, on: ({ device }) => ({ ...engine, device }) });
        expect(failed).toHaveLength(1);
        expect(failed[0].problem).toMatch(/row 5, column 7, channel [4-7]: .* [1-4] of/);
        expect(report.ok).toBe(true);
        expect(report.variants).toHaveLength(2);
      }
    });
  }
});

describe('a report', () => {
  test('says which element, what was expected, and what is used instead', async () => {
    const { failed } = await sabotaged(replaceable[2]);
    expect(failed[0]).toMatchObject({ status: 'failed', kernel: 'conv2d-quad-8x32', layer: expect.stringMatching(/^conv/) as string });
    expect(failed[0].problem).toMatch(/^relu\d \[2, 13, 11, 32\] at image 0, row 0, column 0, channel 0: got \S+, expected \S+, off by more than \S+; \d+ of \d+ elements differ$/);
    expect(failed[0].worst).toBeGreaterThan(100);
    expect(failed[0].replacement).toEqual([expect.stringMatching(/^conv2d-/)]);
  });

  test('knows what was excluded before, and does not try it again', async () => {
    const first = await sabotaged(replaceable[0]);
    const again = await runSelfTest(first.engine, first.graph, { excluded: new Set(first.report.excluded) });
    expect(again).toMatchObject({ ok: true, excluded: first.report.excluded });
    expect(again.variants.every(({ status }) => status === 'passed')).toBe(true);
  });

  test('is not made when the caller aborts', async () => {
    const controller = new AbortController();
    const onProgress = () => controller.abort();
    const running = runSelfTest(gpu.engine, plain(), {}, { signal: controller.signal, onProgress });
    await expect(running).rejects.toMatchObject({ name: 'CompConvError', code: 'aborted' });
  });
});

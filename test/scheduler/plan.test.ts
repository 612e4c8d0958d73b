/** Plans as text and as data: the printed plan of one CompConv at each depth, fusion, memory, limits. */
import { describe, expect, test } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { networkCost } from '../../src/graph/cost.ts';
import { defineGraph, type Graph } from '../../src/graph/graph.ts';
import { compress } from '../../src/models/compress.ts';
import { createNetwork } from '../../src/models/network.ts';
import type { CompConvAttrs } from '../../src/ops/comp-conv.ts';
import { uniformStructs, valuesOf } from '../../src/kernels/kernel.ts';
import { fuseEpilogues } from '../../src/scheduler/fuse-epilogues.ts';
import { assignMemory, valueBytes } from '../../src/scheduler/memory.ts';
import { printPlan, schedules, summarizePlan, type Plan } from '../../src/scheduler/plan.ts';
import { printProgram, type Program } from '../../src/scheduler/program.ts';
import { DEFAULT_LIMITS, passNames, schedule, type ScheduleOptions } from '../../src/scheduler/schedule.ts';
import { plainLayout } from '../../src/tensor/channel-layout.ts';
import { orderedGraphs } from './ordered-graphs.ts';

const LARGE_LIMITS = { ...DEFAULT_LIMITS, maxStorageBufferBindingSize: 2 ** 30, maxBufferSize: 2 ** 30 };
/** A software adapter's. */
const SOFTWARE = { ...LARGE_LIMITS, isSoftware: true, hasQuads: true };
/** All that can be chained is; what is collapsed would leave nothing to chain. */
const FORCED: ScheduleOptions = { forcedPasses: passNames, withoutPasses: ['collapse-modules'] };

/** A CompConv 24 -> 70 with BatchNorm and ReLU behind it, and a classifier. */
function module(depth: CompConvAttrs['depth'], kernelSize = 3): Graph {
  const compConv: CompConvAttrs = {
    op: 'comp-conv', outChannels: 70, kernelSize, stride: 1, padding: (kernelSize - 1) / 2, depth, shuffleGroups: 2, inner: 'linear', bias: false, innerBias: false,
  };
  const g = new GraphBuilder();
  const x = g.input({ n: 1, h: 7, w: 9, c: 24 });
  g.linear('fc', g.relu('relu', g.batchNorm('bn', g.node('conv', compConv, x))), 10);
  return g.build(`CompConv depth ${depth}`);
}

describe.each(schedules)('the printed plan of one CompConv, schedule %s', (name) => {
  test.each([1, 2, 3] as const)('depth %i', async (depth) => {
    const text = printPlan(schedule(module(depth), DEFAULT_LIMITS, { schedule: name }));
    await expect(text).toMatchFileSnapshot(`golden/comp-conv-depth-${depth}-${name}.txt`);
  });
});

test('the printed plan and program of a 1x1 CompConv of depth 3 in one dispatch', async () => {
  const programs: string[] = [];
  const onPass = (name: string, program: Program) => programs.push([name, ...printProgram(program), ''].join('\n'));
  const plan = schedule(module(3, 1), DEFAULT_LIMITS, { ...FORCED, onPass });
  await expect([programs.at(-1), printPlan(plan)].join('\n')).toMatchFileSnapshot('golden/comp-conv-1x1-depth-3-forced.txt');
});

describe('epilogues', () => {
  const kernelsOf = (graph: Graph) => schedule(graph).dispatches.map(({ kernel }) => kernel.name);

  test('BatchNorm, residual and ReLU of ResNet50 all move into convolutions', () => {
    const { dispatchesByKernel } = summarizePlan(schedule(createNetwork({ arch: 'resnet50' })));
    const { 'max-pool': maxPools, 'avg-pool': avgPools, linear, ...convolutions } = dispatchesByKernel;
    expect([maxPools, avgPools, linear]).toEqual([1, 1, 1]);
    expect(Object.keys(convolutions).every((name) => name.startsWith('conv2d-'))).toBe(true);
    expect(Object.values(convolutions).reduce((a, b) => a + b)).toBe(53);
  });

  test('in CompConv128-ResNet50 they move into convolutions, concats and shuffles', () => {
    const { dispatchesByKernel } = summarizePlan(schedule(createNetwork({ arch: 'resnet50', c0: 128 }), DEFAULT_LIMITS, { schedule: 'reference' }));
    expect(dispatchesByKernel.pointwise).toBeUndefined();
    expect(dispatchesByKernel['channel-shuffle']).toBe(53);
  });

  test('a value that two nodes read is not changed behind the back of one', () => {
    const g = new GraphBuilder();
    const conv = g.conv2d('conv', g.input({ n: 1, h: 4, w: 4, c: 4 }), 4, { kernelSize: 1 });
    g.add('add', g.relu('relu', conv), conv);
    expect(kernelsOf(g.build('shared'))).toEqual(['conv2d-8x4', 'pointwise', 'pointwise']);
    expect(fuseEpilogues(g.build('shared')).ops[0]).toMatchObject({ name: 'conv', relu: false });
  });

  test('the order of steps is kept: ReLU, then BatchNorm, needs a pointwise dispatch', () => {
    const g = new GraphBuilder();
    g.batchNorm('bn', g.relu('relu', g.conv2d('conv', g.input({ n: 1, h: 4, w: 4, c: 4 }), 4, { kernelSize: 1 })));
    expect(kernelsOf(g.build('relu-bn'))).toEqual(['conv2d-8x4', 'pointwise']);
  });
});

describe.each(schedules)('what is carried out, schedule %s', (name) => {
  const graph = orderedGraphs()['a head that nobody reads'].graph;
  const layers = (keep: readonly string[]) => new Set(schedule(graph, DEFAULT_LIMITS, { schedule: name, keep }).dispatches.map(({ layer }) => layer));
  const trunk = ['a', 'b', 'fc'];

  test('nothing that neither the output nor a tap depends on', () => {
    expect([...layers([])].sort()).toEqual(trunk);
    expect([...layers(['head'])].sort()).toEqual([...trunk, 'head.conv']);
    expect([...layers(['head.conv'])].sort()).toEqual([...trunk, 'head.conv']);
  });

  test('no two ops of one name, after any pass', () => {
    for (const { graph } of Object.values(orderedGraphs())) {
      const onPass = (pass: string, { ops }: Program) => {
        const names = ops.map((op) => op.name);
        expect([...new Set(names)], `${graph.name}, ${pass}`).toEqual(names);
      };
      schedule(graph, DEFAULT_LIMITS, { schedule: name, onPass });
    }
  });
});

describe.each(schedules)('layers of dispatches, schedule %s', (name) => {
  test.each([
    { arch: 'resnet50', c0: 64 },
    { arch: 'resnet18', c0: 32, inner: 'bn-relu' as const },
    { arch: 'vgg11', c0: 64 },
  ])('%o', (options) => {
    const graph = createNetwork(options, { height: 64 });
    const plan = schedule(graph, LARGE_LIMITS, { schedule: name });
    const macs = new Map<string, number>();
    for (const { layer, macs: own } of plan.dispatches) macs.set(layer, (macs.get(layer) ?? 0) + own);
    for (const { name: layer, macs: own, op } of networkCost(graph).layers) {
      // Tails that became scales cost nothing, merged matrices something else.
      if (name === 'reference' || op !== 'comp-conv') expect(macs.get(layer) ?? 0, layer).toBe(own);
      else expect(macs.get(layer), layer).toBeGreaterThan(0);
    }
    expect([...macs.keys()].every((layer) => graph.shapes.has(layer))).toBe(true);
  });
});

/** Checks what the GPU relies on: written before read, no value overwritten while needed, no buffer read and written at once. */
function expectSoundMemory(plan: Plan): void {
  // Values in parts are written several times; between the first write and the last read nothing else may be in the buffer.
  const holder = new Map([[plan.memory.bufferOf.get(plan.input), plan.input]]);
  const started = new Set([plan.input]);
  for (const dispatch of plan.dispatches) {
    const { read, written } = valuesOf(dispatch);
    const targets = written.map((value) => plan.memory.bufferOf.get(value));
    expect(new Set(targets).size, `${dispatch.label} writes two values into one buffer`).toBe(written.length);
    for (const value of read) {
      expect(holder.get(plan.memory.bufferOf.get(value)), `${dispatch.label} reads ${value}`).toBe(value);
      expect(targets, `${dispatch.label} writes what it reads`).not.toContain(plan.memory.bufferOf.get(value));
    }
    for (const value of written) {
      const buffer = plan.memory.bufferOf.get(value)!;
      if (started.has(value)) expect(holder.get(buffer), `${dispatch.label} writes another part of ${value}`).toBe(value);
      started.add(value);
      holder.set(buffer, value);
      expect(valueBytes(plan.values.get(value)!, plan.dtype)).toBeLessThanOrEqual(plan.memory.bufferBytes[buffer]);
    }
  }
  expect(holder.get(plan.memory.bufferOf.get(plan.output))).toBe(plan.output);
}

describe('chains of two ops', () => {
  const network = (inner: 'linear' | 'bn-relu' = 'linear') => createNetwork({ arch: 'resnet50', c0: 128, inner });
  const dispatches = (plan: Plan) => summarizePlan(plan).dispatches;
  const chains = (plan: Plan) => {
    const { 'conv2d-then-depthwise': tails = 0, 'conv2d-then-conv2d': modules = 0 } = summarizePlan(plan).dispatchesByKernel;
    return { tails, modules };
  };

  test('in CompConv128-ResNet50: every 3x3 tail, the 1x1 modules with small weights and many pixels', () => {
    const plan = schedule(network());
    expect(chains(plan)).toEqual({ tails: 16, modules: 12 });
    expect(dispatches(plan)).toBe(75);
    expect(dispatches(schedule(network(), DEFAULT_LIMITS, { withoutPasses: ['collapse-modules'] }))).toBe(84);
  });

  test('none on software adapters, unless forced; forced, every 1x1 module', () => {
    const plan = schedule(network(), SOFTWARE);
    expect(chains(plan)).toEqual({ tails: 0, modules: 0 });
    expect(dispatches(plan)).toBe(103);
    const forced = schedule(network(), SOFTWARE, FORCED);
    expect(chains(forced)).toEqual({ tails: 16, modules: 27 });
    expect(dispatches(forced)).toBe(69);
    expect(dispatches(schedule(network(), SOFTWARE, { forcedPasses: passNames }))).toBe(69);
  });

  test('inner BatchNorm and ReLU go with a tail, and keep the convolutions of a 1x1 module apart', () => {
    expect(chains(schedule(network('bn-relu'), SOFTWARE, FORCED))).toEqual({ tails: 16, modules: 0 });
  });

  test('left out by name, even if forced', () => {
    expect(chains(schedule(network(), DEFAULT_LIMITS, { withoutPasses: ['fuse-tails'] })).tails).toBe(0);
    expect(chains(schedule(network(), DEFAULT_LIMITS, { ...FORCED, withoutPasses: ['fuse-modules'] })).modules).toBe(0);
    expect(() => schedule(network(), DEFAULT_LIMITS, { forcedPasses: ['fuse-all' as 'fuse-tails'] })).toThrow(/unknown pass "fuse-all"/);
  });

  test('what lies between the two has no buffer', () => {
    const forced = schedule(network(), LARGE_LIMITS, FORCED);
    expect([...forced.values.keys()].filter((name) => /grow\.1~input|conv[13]\.pair|conv2\.grow\.\d$/.test(name))).toEqual([]);
  });

  test('a module of more channels than a workgroup can park stays two dispatches', () => {
    const g = new GraphBuilder();
    const x = g.input({ n: 1, h: 2, w: 2, c: 1100 });
    g.relu('relu', g.batchNorm('bn', g.conv2d('conv', x, 3200, { kernelSize: 1 })));
    const graph = compress(g.build('wide'), { depths: { conv: 2 } });
    expect(chains(schedule(graph, LARGE_LIMITS, FORCED)).modules).toBe(0);
  });

  test('every MAC is counted', () => {
    for (const inner of ['linear', 'bn-relu'] as const) {
      const macs = (options: ScheduleOptions) => summarizePlan(schedule(network(inner), LARGE_LIMITS, options)).macs;
      for (const options of [{}, FORCED]) expect(macs(options)).toBe(macs({ schedule: 'reference' }));
    }
  });
});

describe('memory', () => {
  test.each([
    [{ arch: 'resnet50' }, 1.25],
    [{ arch: 'resnet50', c0: 128 }, 1.25],
    [{ arch: 'resnet18', c0: 64, inner: 'bn-relu' }, 1.4],
    [{ arch: 'vgg16', c0: 32 }, 1.5],
    [{ arch: 'resnet_small14', c0: 16 }, 1.25],
  ] as const)('%o: sound, and at most %f times the lower bound', (options, factor) => {
    const plan = schedule(createNetwork(options), LARGE_LIMITS);
    expectSoundMemory(plan);
    expectSoundMemory(schedule(createNetwork(options), LARGE_LIMITS, { schedule: 'reference' }));
    expectSoundMemory(schedule(createNetwork(options), LARGE_LIMITS, FORCED));
    expectSoundMemory(schedule(createNetwork(options), SOFTWARE));
    const { activationBytes, activationLowerBoundBytes } = summarizePlan(plan);
    expect(activationBytes / activationLowerBoundBytes).toBeLessThanOrEqual(factor);
  });

  test.each(Object.entries(orderedGraphs()))('%s: sound, whatever is tapped', (_, { graph }) => {
    for (const name of schedules) {
      for (const keep of [[], graph.nodes.map((node) => node.name)]) expectSoundMemory(schedule(graph, LARGE_LIMITS, { schedule: name, keep }));
    }
    expectSoundMemory(schedule(graph, LARGE_LIMITS, FORCED));
  });

  test('a size that is no number is an error of ours, not a buffer', () => {
    const shape = { n: 1, h: 2, w: 2, c: 3 };
    const values = new Map([['x', { shape, pitch: NaN, layout: plainLayout(3) }]]);
    expect(() => assignMemory([], values, 'x', ['x'], 'f32')).toThrow(/internal error: the value x has NaN bytes/);
  });

  test('dispatches count every MAC of the network, and no other', () => {
    for (const options of [{ arch: 'resnet50' }, { arch: 'resnet50', c0: 128 }, { arch: 'vgg16_bn', c0: 128 }]) {
      const expected = { resnet50: 4089184256, resnet50128: 1447670402, vgg16_bn128: 5298994456 }[options.arch + (options.c0 ?? '')];
      for (const name of schedules) expect(summarizePlan(schedule(createNetwork(options), DEFAULT_LIMITS, { schedule: name })).macs).toBe(expected);
    }
  });
});

test('every override that a dispatch sets is declared by its kernel, and every size it needs is given', () => {
  for (const options of [{ arch: 'resnet50' }, { arch: 'resnet50', c0: 64 }, { arch: 'vgg11', c0: 32, inner: 'bn-relu' }] as const) {
    const network = createNetwork(options);
    for (const { kernel, overrides, sizes, buffers, label } of [schedule(network), schedule(network, DEFAULT_LIMITS, FORCED)].flatMap((plan) => plan.dispatches)) {
      for (const name of Object.keys(overrides)) expect(kernel.code, `${label}: ${name}`).toMatch(new RegExp(`^override ${name}: `, 'm'));
      expect(Object.keys(sizes).sort(), label).toEqual(uniformStructs(kernel).flat().sort());
      expect(buffers.length, label).toBe(kernel.bindings.length);
      for (const value of Object.values(sizes)) expect(Number.isInteger(value) && value >= 0 && value < 2 ** 32, label).toBe(true);
    }
  }
});

describe('limits', () => {
  test('VGG16 with 411 MB in one layer is planned for 128 MiB bindings', () => {
    const plan = schedule(createNetwork({ arch: 'vgg16' }));
    for (const { byteLength } of plan.constants.values()) expect(byteLength).toBeLessThanOrEqual(128 * 2 ** 20);
    expect(plan.dispatches.filter(({ label }) => label === 'classifier.1').length).toBe(4);
  });

  test('an activation that does not fit is named before anything runs', () => {
    const graph = createNetwork({ arch: 'resnet18' }, { batch: 64 });
    expect(() => schedule(graph)).toThrow(/the value relu needs 205520896 bytes, but this adapter binds at most 134217728; use a smaller batch/);
  });

  test('a graph that is only its input has nothing to run', () => {
    const graph = defineGraph('nothing', [{ name: 'input', attrs: { op: 'input', shape: { n: 1, h: 1, w: 1, c: 1 } }, inputs: [] }]);
    expect(() => schedule(graph)).toThrow(/nothing to run/);
  });
});

/** Tuning a session: what it reports, that its choices are taken, that wrong candidates are not, cancelling, the cache. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import {
  compress,
  createSession,
  GraphBuilder,
  graphParams,
  seededWeights,
  type Model,
  type Session,
  type SessionOptions,
  type Tensor,
  type TuningCache,
  type TuningProgress,
  type TuningRecord,
} from '../../src/index.ts';
import { ConstantStore } from '../../src/runtime/constant-store.ts';
import { openDevice } from '../../src/runtime/device.ts';
import { PacedQueue } from '../../src/runtime/paced-queue.ts';
import { PipelineCache } from '../../src/runtime/pipelines.ts';
import { TuningTrials } from '../../src/runtime/tuning-trials.ts';
import { distinctChoices, distinctForms } from '../../src/scheduler/isolate.ts';
import { expectClose } from '../support/compare.ts';
import { withOtherCode } from '../support/other-code.ts';
import { distinctValues } from '../support/random.ts';

let gpu: GPU;
const sessions: Session[] = [];
const devices: GPUDevice[] = [];

beforeAll(async () => {
  const opened = await openNodeGpu();
  gpu = opened.gpu;
  console.log(`adapter: ${opened.describe}`);
});
afterEach(() => {
  for (const session of sessions.splice(0)) session.dispose();
  for (const device of devices.splice(0)) device.destroy();
});

async function open(model: Model, options: SessionOptions = {}): Promise<Session> {
  const session = await createSession(model, { gpu, ...options });
  sessions.push(session);
  return session;
}

/** A device of our own, on which modules of that kernel get other code. */
async function deviceWith(kernel: string, rewrite: (code: string) => string): Promise<GPUDevice> {
  const adapter = (await gpu.requestAdapter())!;
  const requiredFeatures = (['timestamp-query', 'subgroups'] as const).filter((feature) => adapter.features.has(feature));
  const device = await adapter.requestDevice({ requiredFeatures });
  devices.push(device);
  return withOtherCode(device, kernel, rewrite);
}

/** Two kinds of convolution, one of them twice, with a residual. */
function tinyModel(): Model {
  const g = new GraphBuilder();
  const x = g.input({ n: 1, h: 12, w: 12, c: 3 });
  const a = g.relu('relu1', g.batchNorm('bn', g.conv2d('conv1', x, 32, { kernelSize: 3, padding: 1 })));
  const b = g.relu('relu2', g.conv2d('conv2', a, 32, { kernelSize: 3, padding: 1 }));
  const c = g.relu('relu3', g.conv2d('conv3', b, 32, { kernelSize: 3, padding: 1 }));
  g.linear('fc', g.avgPool('pool', c, 1, 1), 10);
  const graph = g.build('tiny');
  return { graph, weights: seededWeights(graphParams(graph), 1) };
}

/** A bottleneck of modules: 1x1 of depth 2, 3x3 of depth 1, 1x1 of depth 2 with a residual. */
function bottleneckModel(): Model {
  const g = new GraphBuilder();
  const x = g.input({ n: 1, h: 12, w: 12, c: 3 });
  const a = g.relu('relu1', g.conv2d('conv1', x, 64, { kernelSize: 3, padding: 1 }));
  const b = g.relu('relu2', g.batchNorm('bn2', g.conv2d('conv2', a, 32, { kernelSize: 1 })));
  const c = g.relu('relu3', g.batchNorm('bn3', g.conv2d('conv3', b, 32, { kernelSize: 3, padding: 1 })));
  const d = g.batchNorm('bn4', g.conv2d('conv4', c, 64, { kernelSize: 1 }));
  g.linear('fc', g.avgPool('pool', g.relu('relu4', g.add('add', d, a)), 1, 1), 10);
  const graph = compress(g.build('bottleneck'), { depths: { conv2: 2, conv3: 1, conv4: 2 } });
  return { graph, weights: seededWeights(graphParams(graph), 1) };
}

const input = (n = 1): Tensor => ({ shape: [n, 3, 12, 12], data: distinctValues(n * 3 * 144, 2) });

function memoryCache(): TuningCache & { readonly records: Map<string, TuningRecord> } {
  const records = new Map<string, TuningRecord>();
  return { records, get: async (key) => records.get(key), set: async (key, record) => void records.set(key, structuredClone(record)) };
}

/** Choices of a session's plan: kernel by label. */
const kernelsOf = ({ plan }: Session) => Object.fromEntries(plan.dispatches.flatMap(({ label, choice, kernel }) => (choice ? [[label, kernel.name]] : [])));

const OTHER = 'conv2d-8x4';

describe('tune', () => {
  test('reports every kind of work once, and the session computes the same afterwards', async () => {
    const session = await open(tinyModel());
    const [before, batch] = [await session.run(input()), await session.run(input(2))];
    const weightBytes = session.memory.weightBytes;
    const steps: TuningProgress[] = [];
    const tuning = session.tune({ onProgress: (step) => steps.push(step), cache: null });
    const [report, during] = await Promise.all([tuning, session.run(input())]);
    const choices = distinctChoices(session.plan);
    expect(choices).toHaveLength(2);
    expect(report).toMatchObject({ adapter: session.adapter.name, network: 'tiny', fromCache: false, problems: [] });
    expect(report.networkMs.before).toBeGreaterThan(0);
    expect(report.networkMs.after).toBeGreaterThan(0);
    expect(report.signatures.map(({ signature }) => signature)).toEqual(choices.map(({ signature }) => signature));
    for (const [i, { predicted, chosen, timesMs, excluded }] of report.signatures.entries()) {
      expect(predicted).toBe(choices[i].candidates[0]);
      expect(Object.keys(timesMs)).toEqual([...choices[i].candidates]);
      expect(excluded).toEqual({});
      expect(Object.values(timesMs).every((ms) => ms > 0 && Number.isFinite(ms))).toBe(true);
      const best = Math.min(...Object.values(timesMs));
      if (report.kept) expect(timesMs[chosen]).toBeLessThanOrEqual(chosen === predicted ? best / 0.97 : best);
      else expect(chosen).toBe(predicted);
    }
    // As plain data.
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    expect([...new Set(steps.map(({ phase }) => phase))]).toEqual(['verify', 'measure', 'confirm']);
    expect(steps[0]).toEqual({ phase: 'verify', done: 0, total: 2, signature: choices[0].signature });
    for (const output of [during, await session.run(input())]) expectClose(output.data, before.data, { relativeL2: 1e-5 });
    expectClose((await session.run(input(2))).data, batch.data, { relativeL2: 1e-5 });
    expect(session.tuned).toEqual({ known: 2, total: 2 });
    // Nothing of the losers is left, but weights may be packed to another size.
    expect(session.memory.weightBytes).toBeLessThan(3 * weightBytes);
    const signatures = report.signatures.map(({ signature }) => ({ signature, fromCache: true }));
    expect(await session.tune({ cache: null })).toMatchObject({ fromCache: true, signatures });
  });

  test('of a network of CompConv, whose kernels store in parts', async () => {
    const { graph: plain } = tinyModel();
    const graph = compress(plain, { depths: { conv2: 2, conv3: 1 } });
    const session = await open({ graph, weights: seededWeights(graphParams(graph), 1) });
    const before = await session.run(input());
    const report = await session.tune({ cache: null });
    expect(report.signatures.length).toBeGreaterThan(3);
    expect(report.signatures.map(({ excluded }) => excluded)).toEqual(report.signatures.map(() => ({})));
    expectClose((await session.run(input())).data, before.data, { relativeL2: 1e-5 });
  });

  test('of 1x1 modules: one dispatch or two, then the kernels of whichever it is', async () => {
    const model = bottleneckModel();
    const session = await open(model);
    const before = await session.run(input());
    const report = await session.tune({ cache: null });
    const forms = report.signatures.filter(({ signature }) => signature.startsWith('collapse '));
    expect(forms.length).toBeGreaterThan(1);
    for (const { timesMs, excluded } of report.signatures) {
      expect(excluded).toEqual({});
      expect(Object.keys(timesMs).length).toBeGreaterThan(1);
    }
    // Whatever came out of it, nothing is left to measure.
    expect(session.tuned.known).toBe(session.tuned.total);
    expectClose((await session.run(input())).data, before.data, { relativeL2: 1e-5 });
  });

  test('every form that a GPU has to choose from computes the same either way', async () => {
    const { graph, weights } = bottleneckModel();
    const engine = await openDevice({ gpu });
    const limits = { ...engine.limits, isSoftware: false, hasQuads: false };
    const constants = new ConstantStore(engine.device, weights);
    const pipelines = new PipelineCache(engine.device, 'f32');
    const queue = new PacedQueue(engine.device);
    const scheduleOptions = {};
    const trials = new TuningTrials({ engine: { ...engine, limits }, queue, graph, weights, scheduleOptions, pipelines, constants, signal: undefined });
    try {
      // What is collapsed need not be fused: both ways, to see all forms.
      const collapsed = distinctForms(trials.plan()).filter(({ signature }) => signature.startsWith('collapse '));
      const apart = new Map(collapsed.map(({ signature }) => [signature, 'two dispatches']));
      const forms = [...collapsed, ...distinctForms(trials.plan(apart)).filter(({ signature }) => !apart.has(signature))];
      for (const pass of ['collapse', 'tail', 'module']) expect(forms.some(({ signature }) => signature.startsWith(pass))).toBe(true);
      for (const form of forms) {
        const { excluded, timesMs } = await trials.measure(form, apart, [], () => {});
        expect(excluded, form.signature).toEqual({});
        expect(Object.keys(timesMs)).toHaveLength(2);
      }
    } finally {
      trials.destroy();
      constants.destroy();
      engine.release();
    }
  });

  test('a candidate that computes something else, or does not compile, is excluded with the reason', async () => {
    const model = tinyModel();
    const wrong = await deviceWith(OTHER, (code) => code.replace('a00 += x0.x * wx0;', 'a00 += 1.01 * x0.x * wx0;'));
    const session = await open(model, { device: wrong });
    const report = await session.tune();
    for (const { timesMs, excluded, chosen } of report.signatures) {
      expect(excluded).toEqual({ [OTHER]: expect.stringMatching(/relative L2 error .* is above 0.0001/) as string });
      expect(Object.keys(timesMs)).not.toContain(OTHER);
      expect(chosen).not.toBe(OTHER);
    }
    const broken = await open(model, { device: await deviceWith(OTHER, (code) => `${code}\n no code`) });
    const { signatures } = await broken.tune();
    for (const { excluded } of signatures) expect(excluded[OTHER]).toMatch(/does not compile/);
    expectClose((await broken.run(input())).data, (await session.run(input())).data, { relativeL2: 1e-5 });
  });
});

describe('cancelling', () => {
  test.each(['verify', 'measure', 'confirm'] as const)('in the phase %s rejects, and the session works', async (wanted) => {
    const session = await open(tinyModel());
    const before = await session.run(input());
    const cache = memoryCache();
    const controller = new AbortController();
    const tuning = session.tune({ signal: controller.signal, cache, onProgress: ({ phase }) => phase === wanted && controller.abort() });
    await expect(tuning).rejects.toMatchObject({ name: 'CompConvError', code: 'aborted' });
    expect(cache.records.size).toBe(0);
    expect([...(await session.run(input())).data]).toEqual([...before.data]);
  });

  test('before it begins, and by disposing', async () => {
    const session = await open(tinyModel());
    await expect(session.tune({ signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'aborted' });
    await expect(session.tune({ onProgress: () => session.dispose() })).rejects.toMatchObject({ code: 'disposed' });
    await expect(session.tune()).rejects.toMatchObject({ code: 'disposed' });
  });
});

describe('cache', () => {
  test('a second session takes what the first one found, and measures only what is missing', async () => {
    const cache = memoryCache();
    const session = await open(tinyModel(), { tuning: cache });
    expect(session.tuned).toEqual({ known: 0, total: 2 });
    const first = await session.tune();
    expect([...cache.records.values()]).toEqual([
      {
        adapter: session.adapter.name,
        signatures: Object.fromEntries(first.signatures.map(({ signature, chosen, timesMs, excluded }) => [signature, { chosen, timesMs, excluded }])),
      },
    ]);
    const second = await open(tinyModel(), { tuning: cache });
    expect(second.tuned).toEqual({ known: 2, total: 2 });
    expect(await second.tune()).toMatchObject({ fromCache: true });
    expect((await second.tune({ fresh: true })).signatures.map(({ fromCache }) => fromCache)).toEqual([false, false]);
    // One of the two forgotten, the other about other candidates.
    const [[key, { adapter, signatures }]] = cache.records;
    const [[, kept], [name]] = Object.entries(signatures);
    cache.records.set(key, { adapter, signatures: { [name]: { ...kept, timesMs: { [kept.chosen]: 1 } }, elsewhere: kept } });
    const third = await open(tinyModel());
    const again = await third.tune({ cache });
    expect(again.signatures.map(({ fromCache }) => fromCache)).toEqual([false, false]);
    expect(Object.keys(cache.records.get(key)!.signatures).sort()).toEqual([...Object.keys(signatures), 'elsewhere'].sort());
  });

  test('choices of a cache are taken at creation, and give the same output', async () => {
    const cache = memoryCache();
    const untuned = await open(tinyModel());
    const forced = Object.fromEntries(
      distinctChoices(untuned.plan).map(({ signature, candidates }) => {
        const chosen = candidates.at(-1)!;
        return [signature, { chosen, timesMs: Object.fromEntries(candidates.map((name) => [name, name === chosen ? 1 : 2])), excluded: {} }];
      }),
    );
    const session = await open(tinyModel(), { tuning: { ...cache, get: async () => ({ adapter: 'any', signatures: forced }) } });
    const [before, after] = [kernelsOf(untuned), kernelsOf(session)];
    expect(Object.keys(after)).toEqual(Object.keys(before));
    for (const label of Object.keys(before)) expect(after[label]).not.toBe(before[label]);
    expectClose((await session.run(input())).data, (await untuned.run(input())).data, { relativeL2: 1e-5 });
  });

  test('one that fails is in nobody’s way', async () => {
    const fail = () => Promise.reject(new Error('the disk is full'));
    const session = await open(tinyModel(), { tuning: { get: fail, set: fail } });
    const report = await session.tune();
    expect(report.problems).toEqual(['the disk is full', 'the disk is full']);
    expect(report.signatures).toHaveLength(2);
  });
});

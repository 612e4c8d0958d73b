/** Sessions and their devices: shared, lost, and replaced. A device is lost here by `destroy()`; a real crash is a browser's test. */
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import {
  createSession,
  GraphBuilder,
  graphParams,
  seededWeights,
  type CompConvError,
  type Model,
  type Session,
  type SessionOptions,
  type Tensor,
} from '../../src/index.ts';
import { loseDevices } from '../support/lose-devices.ts';
import { rounds } from '../support/rounds.ts';
import { expectClose } from '../support/compare.ts';
import { distinctValues } from '../support/random.ts';

let gpu: GPU;
const sessions: Session[] = [];

beforeAll(async () => {
  const opened = await openNodeGpu();
  gpu = opened.gpu;
  console.log(`adapter: ${opened.describe}`);
});
afterEach(() => {
  for (const session of sessions.splice(0)) session.dispose();
});

/** Few kernels, quickly compiled. */
function tiny(seed: number): Model {
  const g = new GraphBuilder();
  g.linear('fc', g.relu('relu', g.conv2d('conv', g.input({ n: 1, h: 9, w: 7, c: 3 }), 8, { kernelSize: 3, padding: 1 })), 5);
  const graph = g.build('tiny');
  return { graph, weights: seededWeights(graphParams(graph), seed) };
}
const [model, other] = [tiny(1), tiny(2)];
const ROUNDS = rounds(9, 100);
const image = (seed: number, n = 1): Tensor => ({ shape: [n, 3, 9, 7], data: distinctValues(n * 189, seed) });
const code = (expected: string) => expect.objectContaining({ name: 'CompConvError', code: expected });

async function open(options: SessionOptions = {}, of = model): Promise<Session> {
  const session = await createSession(of, { gpu, ...options });
  sessions.push(session);
  return session;
}

describe('sessions that ask for the same device', () => {
  test('share one, until the last of them is disposed; `ownDevice` shares none', async () => {
    const [first, second, own] = [await open(), await open({}, other), await open({ ownDevice: true })];
    const { device } = first;
    expect(second.device).toBe(device);
    expect(own.device).not.toBe(device);
    let isLost = false;
    void device.lost.then(() => (isLost = true));
    first.dispose();
    await second.run(image(1));
    expect(isLost).toBe(false);
    second.dispose();
    await device.lost;
    expect((await open()).device).not.toBe(device);
  });

  test('share that of an adapter of the caller\'s, which gives no other one once it is gone', async () => {
    const adapter = (await gpu.requestAdapter())!;
    const [first, second] = [await open({ adapter }), await open({ adapter }, other)];
    expect(second.device).toBe(first.device);
    first.dispose();
    second.dispose();
    await expect(open({ adapter })).rejects.toThrow(/gave no device: [^]*; an adapter gives one device: request another adapter/);
  });

  test('run 51 times at the same time, each gets its own answers, to the bit', async () => {
    const all = [await open(), await open({}, other), await open({ schedule: 'reference' })];
    const inputs = Array.from({ length: 17 }, (_, i) => image(20 + i, 1 + (i % 4)));
    const alone: number[][] = [];
    for (const session of all) for (const input of inputs) alone.push([...(await session.run(input)).data]);
    const together = await Promise.all(all.flatMap((session) => inputs.map((input) => session.run(input))));
    expect(together.map(({ data }) => [...data])).toEqual(alone);
  });
});

describe('a lost device', () => {
  test('rejects what runs, says what to do, and the next run is right, on another device', async () => {
    const lost: CompConvError[] = [];
    const session = await open({ onDeviceLost: (error) => lost.push(error) });
    const expected = await session.run(image(1));
    const { device } = session;
    const running = session.run(image(2, 2000));
    device.destroy();
    await expect(running).rejects.toThrow(/the GPU device was lost .*run again: the session gets another one/);
    expect([...(await session.run(image(1))).data]).toEqual([...expected.data]);
    expect(session.device).not.toBe(device);
    expect(lost).toEqual([code('device-lost')]);
  });

  test('is told to every listener, whatever one of them throws', async () => {
    const shown = vi.spyOn(console, 'error').mockImplementation(() => {});
    const slip = new Error('a slip of the app');
    const lost: CompConvError[] = [];
    const session = await open({ onDeviceLost() { throw slip; } });
    await open({ onDeviceLost: (error) => lost.push(error) }, other);
    const expected = [...(await session.run(image(1))).data];
    session.device.destroy();
    await session.device.lost;
    // An unhandled rejection would fail the test run.
    expect([...(await session.run(image(1))).data]).toEqual(expected);
    expect(lost).toEqual([code('device-lost')]);
    expect(shown.mock.calls).toEqual([[slip]]);
    const reported = vi.fn();
    vi.stubGlobal('reportError', reported);
    session.device.destroy();
    await session.device.lost;
    await session.run(image(1));
    expect(reported.mock.calls).toEqual([[slip]]);
    vi.unstubAllGlobals();
    shown.mockRestore();
  });

  test('is replaced once for all sessions on it, and what waited for its turn runs there', async () => {
    let asked = 0;
    const counting = { requestAdapter: (options: GPURequestAdapterOptions) => (asked++, gpu.requestAdapter(options)) } as unknown as GPU;
    const [first, second] = [await open({ gpu: counting }), await open({ gpu: counting }, other)];
    const expected = [await first.run(image(3)), await second.run(image(3))];
    expect(asked).toBe(1);
    const running = first.run(image(4, 2000));
    const waiting = [first.run(image(3)), second.run(image(3))];
    first.device.destroy();
    await expect(running).rejects.toEqual(code('device-lost'));
    const outputs = await Promise.all(waiting);
    outputs.forEach(({ data }, i) => expectClose(data, expected[i].data, { relativeL2: 0 }));
    expect(first.device).toBe(second.device);
    expect(asked).toBe(2);
  });

  test('lost before, during and after runs, again and again: no wrong result, no hang, nothing left over', async () => {
    const { rounds, results, losses } = await loseDevices(await open(), image(1), ROUNDS);
    expect({ rounds, losses }).toEqual({ rounds: ROUNDS, losses: ROUNDS });
    expect(results).toBeGreaterThanOrEqual(ROUNDS);
  });

  test('again and again before anything ran on it, it is not replaced any more', async () => {
    let isDying = false;
    const dying = {
      async requestAdapter(options: GPURequestAdapterOptions) {
        const adapter = (await gpu.requestAdapter(options))!;
        if (!isDying) return adapter;
        const requestDevice = async (descriptor: GPUDeviceDescriptor) => {
          const device = await adapter.requestDevice(descriptor);
          device.destroy();
          return device;
        };
        return { features: adapter.features, limits: adapter.limits, info: adapter.info, requestDevice };
      },
    } as unknown as GPU;
    const session = await open({ gpu: dying });
    isDying = true;
    session.device.destroy();
    const messages: string[] = [];
    for (let i = 0; i < 4; i++) {
      const error = (await session.run(image(1)).catch((e: unknown) => e)) as CompConvError;
      expect(error).toEqual(code('device-lost'));
      messages.push(error.message);
    }
    expect(messages[3]).toMatch(/lost 3 times in a row, and no run worked in between/);
  });

  test('of the caller\'s is not replaced, unless it came from a function', async () => {
    const request = async () => (await gpu.requestAdapter())!.requestDevice();
    const device = await request();
    const session = await open({ device });
    device.destroy();
    await device.lost;
    await expect(session.run(image(1))).rejects.toThrow(/create a session with another one/);
    const renewed = await open({ device: request });
    const expected = [...(await renewed.run(image(1))).data];
    renewed.device.destroy();
    await renewed.device.lost;
    expect([...(await renewed.run(image(1))).data]).toEqual(expected);
  });

  test('is a typed error where there is no adapter any more, and a later run tries again', async () => {
    let isGone = false;
    const failing = { requestAdapter: (options: GPURequestAdapterOptions) => (isGone ? Promise.resolve(null) : gpu.requestAdapter(options)) } as unknown as GPU;
    const session = await open({ gpu: failing });
    const expected = [...(await session.run(image(1))).data];
    isGone = true;
    session.device.destroy();
    await session.device.lost;
    await expect(session.run(image(1))).rejects.toEqual(code('webgpu-unavailable'));
    isGone = false;
    expect([...(await session.run(image(1))).data]).toEqual(expected);
  });
});

describe('a run', () => {
  test('is aborted while it waits and while it runs, and the next one is right', async () => {
    const session = await open();
    const expected = [...(await session.run(image(1))).data];
    const [running, waiting] = [new AbortController(), new AbortController()];
    const runs = [session.run(image(2, 2000), { signal: running.signal }), session.run(image(3), { signal: waiting.signal }), session.run(image(1))];
    waiting.abort();
    await expect(runs[1]).rejects.toEqual(code('aborted'));
    running.abort();
    await expect(runs[0]).rejects.toEqual(code('aborted'));
    expect([...(await runs[2]).data]).toEqual(expected);
    await expect(session.run(image(1), { signal: AbortSignal.abort() })).rejects.toEqual(code('aborted'));
  });

  test('with NaN in its output is an error, unless it is asked for', async () => {
    const session = await open();
    const bad = image(1);
    bad.data.fill(3e38); // Sums overflow; NaN a ReLU may take for 0.
    await expect(session.run(bad)).rejects.toEqual(code('non-finite'));
    expect((await session.run(bad, { allowNonFinite: true })).data.every(Number.isFinite)).toBe(false);
    await expect(session.run(image(1))).resolves.toBeDefined();
  });

  test('of a batch that one binding does not hold goes in parts, and gives the same', async () => {
    const device = await (await gpu.requestAdapter())!.requestDevice();
    const limits = new Proxy(device.limits, {
      get: (all, name) => (name === 'maxStorageBufferBindingSize' ? 1 << 18 : Reflect.get(all, name)),
    });
    const small = new Proxy(device, {
      get: (all, name) => {
        if (name === 'limits') return limits;
        const value: unknown = Reflect.get(all, name);
        return typeof value === 'function' ? value.bind(all) : value;
      },
    });
    const [session, reference] = [await open({ device: small }), await open()];
    const input = image(9, 1777);
    const whole = await reference.run(input);
    const parts = await session.run(input);
    expect(parts.shape).toEqual([1777, 5]);
    expectClose(parts.data, whole.data, { relativeL2: 1e-5 });
    device.destroy();
  });
});

/** The probes do what their times are divided by. */
import { expect, test } from 'vitest';
import codeArithmetic from '../../bench/probes/arithmetic-peak.wgsl?raw';
import codeCopy from '../../bench/probes/copy.wgsl?raw';
import codeChain from '../../bench/probes/dispatch-chain.wgsl?raw';
import { Probe } from '../../bench/probes/probe.ts';
import { measureLayers } from '../../bench/layers.ts';
import { measureLimits } from '../../bench/limits.ts';
import { Stopwatch } from '../../bench/stopwatch.ts';
import { graphParams } from '../../src/graph/graph.ts';
import { createNetwork } from '../../src/models/network.ts';
import { openDevice } from '../../src/runtime/device.ts';
import { schedule } from '../../src/scheduler/schedule.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import { useGpu } from '../support/gpu.ts';
import { LIMITS } from './sample-report.ts';

const gpu = useGpu();

/** Records into one pass, then reads the first bytes of a buffer. */
async function after(
  probe: Probe,
  buffer: number,
  byteLength: number,
  record: (pass: GPUComputePassEncoder) => void,
): Promise<ArrayBuffer> {
  const { device } = gpu.engine;
  const readback = device.createBuffer({ size: byteLength, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  record(pass);
  pass.end();
  encoder.copyBufferToBuffer(probe.buffers[buffer], 0, readback, 0, byteLength);
  device.queue.submit([encoder.finish()]);
  await readback.mapAsync(GPUMapMode.READ);
  const bytes = readback.getMappedRange().slice(0);
  readback.destroy();
  probe.destroy();
  return bytes;
}

/** The device, but its timestamps never get to where they are read. */
function withoutResolve(device: GPUDevice): GPUDevice {
  return new Proxy(device, {
    get(target, key) {
      const value = Reflect.get(target, key, target) as unknown;
      if (key !== 'createCommandEncoder') return typeof value === 'function' ? value.bind(target) : value;
      return () => {
        const encoder = target.createCommandEncoder();
        encoder.resolveQuerySet = () => undefined;
        return encoder;
      };
    },
  });
}

test('each dispatch of the chain runs, after the one before it', async () => {
  const chain = await Probe.create(gpu.engine, codeChain, [{ byteLength: 4 }]);
  const bytes = await after(chain, 0, 4, (pass) => chain.record(pass, 1, 1000));
  expect(new Uint32Array(bytes)[0]).toBe(1000);
});

test.each([
  [0, 0, 2],
  [1, 0, 2],
  [0, 1, 8],
  [1, 1, 8],
])('arithmetic, FUSED %i, WIDE %i: each of %i chains is computed', async (FUSED, WIDE, chains) => {
  const buffers = [{ byteLength: 64 * 16 }, { byteLength: 16, isUniform: true }];
  const y = async (rounds: number) => {
    const probe = await Probe.create(gpu.engine, codeArithmetic, buffers, { FUSED, WIDE });
    const sizes = new Uint32Array([rounds, 0, 0, 0]);
    new Float32Array(sizes.buffer).set([0.75, 0.5], 1);
    gpu.engine.device.queue.writeBuffer(probe.buffers[1], 0, sizes);
    return new Float32Array(await after(probe, 0, 64 * 16, (pass) => probe.record(pass, 1)));
  };
  // x -> 0.75 x + 0.5 ends at 2, wherever it began; a round takes each chain 16 / chains steps closer.
  for (const value of await y(100)) expect(value).toBeCloseTo(2 * chains, 4);
  const start = Array.from({ length: chains }, (_, i) => i);
  const one = start.reduce((sum, x) => sum + 2 + (x - 2) * 0.75 ** (16 / chains), 0);
  expect((await y(1))[0]).toBeCloseTo(one, 4);
});

test('copies are whole', async () => {
  const buffers = [{ byteLength: 16384 }, { byteLength: 16384 }, { byteLength: 16, isUniform: true }];
  const copy = await Probe.create(gpu.engine, codeCopy, buffers);
  const x = Float32Array.from({ length: 4096 }, (_, i) => i + 1);
  gpu.engine.device.queue.writeBuffer(copy.buffers[0], 0, x);
  gpu.engine.device.queue.writeBuffer(copy.buffers[2], 0, new Uint32Array([256, 0, 0, 0]));
  expect(new Float32Array(await after(copy, 1, 16384, (pass) => copy.record(pass, 4)))).toEqual(x);
});

test('without timestamps the queue is the clock', async () => {
  const watch = await Stopwatch.create({ ...gpu.engine, hasTimestamps: false });
  expect(watch).toMatchObject({ clock: 'queue', timestampStepNs: undefined });
  const copy = await Probe.create(gpu.engine, codeChain, [{ byteLength: 4 }]);
  const record = (times: number) => (pass: GPUComputePassEncoder) => copy.record(pass, 1, times);
  const repeats = await watch.repeatsFor(record, 100);
  expect(repeats).toBeGreaterThanOrEqual(1);
  expect(repeats).toBeLessThanOrEqual(100);
  // Less an empty pass, which may take as long.
  for (const ms of await watch.samples(record(100), 2)) expect(ms).toBeLessThan(1000);
  copy.destroy();
});

test('the step of timestamps is measured, and clocks that stand still are not used', async () => {
  const { engine } = gpu;
  expect(engine.hasTimestamps).toBe(true);
  const watch = await Stopwatch.create(engine);
  expect(watch.clock).toBe('timestamp-query');
  const step = watch.timestampStepNs!;
  // Dawn has 65,536 ns unless told to be unsafe; 1 ms would be useless.
  expect(step).toBeGreaterThanOrEqual(1);
  expect(step).toBeLessThanOrEqual(1e6);
  for (let i = 0; i < 5; i++) expect(Math.round((await watch.time(() => {})) * 1e6) % step).toBe(0);
  watch.destroy();
  const still = await Stopwatch.create({ ...engine, device: withoutResolve(engine.device) });
  expect(still).toMatchObject({ clock: 'queue', timestampStepNs: undefined });
  expect(await still.time(() => {})).toBeGreaterThan(0);
  still.destroy();
});

test('an interruption ends limits and layers', async () => {
  const engine = await openDevice({ device: gpu.engine.device });
  const aborted = AbortSignal.abort();
  await expect(measureLimits(engine, { signal: aborted })).rejects.toMatchObject({ code: 'aborted' });
  const graph = createNetwork({ arch: 'resnet_small14' });
  const network = { label: 'small', plan: schedule(graph, engine.limits), weights: seededWeights(graphParams(graph), 1) };
  await expect(measureLayers(engine, network, LIMITS, { signal: aborted })).rejects.toMatchObject({ code: 'aborted' });
});

import { describe, expect, test } from 'vitest';
import { countMoves, dispatchBytes } from '../../bench/dispatch-bytes.ts';
import { excerpt } from '../../src/scheduler/isolate.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { createNetwork, type NetworkOptions } from '../../src/models/network.ts';
import { valueBytes } from '../../src/scheduler/memory.ts';
import type { ScheduleName } from '../../src/scheduler/plan.ts';
import { DEFAULT_LIMITS, schedule } from '../../src/scheduler/schedule.ts';

const NETWORKS: NetworkOptions[] = [
  { arch: 'resnet50' },
  { arch: 'resnet50', c0: 128 },
  { arch: 'resnet18', c0: 32, inner: 'bn-relu' },
  { arch: 'resnet18', c0: 64, shuffleGroups: 1 },
  { arch: 'vgg11_bn', c0: 64 },
  { arch: 'resnet_small14', c0: 16 },
];
const SCHEDULES: ScheduleName[] = ['reference', 'optimized'];

describe.each(NETWORKS)('%o', (options) => {
  const graph = createNetwork(options, { height: 64 });
  test.each(SCHEDULES)('%s: every byte of every value is written once, and no more is read than there is', (name) => {
    for (const isSoftware of [false, true]) {
      const plan = schedule(graph, { ...DEFAULT_LIMITS, isSoftware, hasQuads: isSoftware }, { schedule: name });
      const bytes = plan.dispatches.map((dispatch) => dispatchBytes(plan, dispatch));
      const written = bytes.reduce((sum, { writtenBytes }) => sum + writtenBytes, 0);
      const values = [...plan.values].filter(([value]) => value !== plan.input);
      expect(written).toBe(values.reduce((sum, [, value]) => sum + valueBytes(value, 'f32'), 0));
      for (const [i, dispatch] of plan.dispatches.entries()) {
        const { memory } = excerpt(plan, [dispatch]);
        const { readBytes, writtenBytes, constantBytes, bytes: all } = bytes[i];
        expect(all).toBe(readBytes + writtenBytes + constantBytes);
        expect(readBytes + writtenBytes).toBeLessThanOrEqual(memory.lowerBoundBytes);
        expect(readBytes).toBeGreaterThan(0);
      }
    }
  });
});

test('by hand: a residual, a stride that skips pixels, channels that fill no vec4', () => {
  const net = new GraphBuilder();
  const x = net.input({ n: 2, h: 8, w: 8, c: 5 }); // pitch 8
  const a = net.conv2d('a', x, 6, { kernelSize: 3, padding: 1 });
  const b = net.add('b', net.conv2d('c', x, 6, { kernelSize: 3, padding: 1 }), a);
  net.conv2d('d', b, 3, { kernelSize: 1, stride: 2 });
  const plan = schedule(net.build('net'), { ...DEFAULT_LIMITS, isSoftware: true });
  const bytes = Object.fromEntries(plan.dispatches.map((dispatch) => [dispatch.label, dispatchBytes(plan, dispatch)]));
  const map = 2 * 8 * 8 * 8 * 4;
  expect(bytes['a']).toMatchObject({ readBytes: map, writtenBytes: map });
  expect(bytes['b']).toMatchObject({ readBytes: 2 * map, writtenBytes: map });
  expect(bytes['d']).toMatchObject({ readBytes: map / 4, writtenBytes: map / 8 });
  // 9 taps of 8 input lanes by 2 vec4s, and as many shifts.
  expect(bytes['a'].constantBytes).toBe(9 * 8 * 2 * 16 + 2 * 16);
});

test('moves are dispatches that only move channels', () => {
  const graph = createNetwork({ arch: 'resnet_small14', c0: 16 });
  const moves = (name: ScheduleName) => countMoves(schedule(graph, DEFAULT_LIMITS, { schedule: name }));
  const plan = schedule(graph, DEFAULT_LIMITS, { schedule: 'reference' });
  const kernels = plan.dispatches.map(({ kernel }) => kernel.name).filter((name) => name.startsWith('channel-'));
  expect(moves('reference')).toBe(kernels.length);
  expect(moves('optimized')).toBeLessThan(kernels.length / 10);
  expect(countMoves(schedule(createNetwork({ arch: 'resnet18' })))).toBe(0);
});

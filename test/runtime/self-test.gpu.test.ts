import { describe, expect, test } from 'vitest';
import { createNetwork } from '../../src/models/network.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { PacedQueue } from '../../src/runtime/paced-queue.ts';
import { PipelineCache } from '../../src/runtime/pipelines.ts';
import { selfTest } from '../../src/runtime/self-test.ts';
import { pipelineKey } from '../../src/scheduler/plan.ts';
import { schedule } from '../../src/scheduler/schedule.ts';
import { useGpu } from '../support/gpu.ts';

const gpu = useGpu();

const networks: Graph[] = [
  createNetwork({ arch: 'resnet_small14' }),
  createNetwork({ arch: 'resnet18', c0: 64 }, { height: 64, width: 64 }),
  createNetwork({ arch: 'vgg11' }, { height: 32, width: 32 }),
  createNetwork({ arch: 'resnet50' }),
  createNetwork({ arch: 'resnet50', c0: 128 }),
];
describe.each(networks)('$name', (graph) => {
  test('ok', async () => {
    const { engine } = gpu;
    const pipelines = new PipelineCache(engine.device, 'f32');
    const plan = schedule(graph, engine.limits);
    const t0 = performance.now();
    await pipelines.compile(plan.dispatches);
    const t1 = performance.now();
    const c0 = process.cpuUsage();
    const report = await selfTest({ engine, queue: new PacedQueue(engine.device), graph, scheduleOptions: {}, pipelines });
    const c = process.cpuUsage(c0);
    console.log(graph.name, 'compile', t1 - t0, 'self-test', report.elapsedMs, 'cpu', (c.user + c.system) / 1000, new Set(plan.dispatches.map(pipelineKey)).size);
    console.log(report.variants.map((v) => `${v.status} ${v.worst?.toFixed(3)} ${v.elements} ${v.layer} ${v.variant} ${v.problem ?? ''}`).join('\n'));
    expect(report.ok).toBe(true);
  });
});

import { test } from 'vitest';
import { useGpu } from './support/gpu.ts';
import { createNetwork } from '../src/models/network.ts';
import { graphParams } from '../src/graph/graph.ts';
import { schedule } from '../src/scheduler/schedule.ts';
import { summarizePlan } from '../src/scheduler/plan.ts';
import { seededWeights } from '../src/weights/seeded.ts';
import { ConstantStore } from '../src/runtime/constant-store.ts';
import { PipelineCache } from '../src/runtime/pipelines.ts';
import { Executor } from '../src/runtime/executor.ts';
const gpu = useGpu();
test('profile', async () => {
  const { device } = gpu.engine;
  const pipes = new PipelineCache(device);
  const all: any[] = [];
  for (const c0 of [undefined, 128]) {
    const graph = createNetwork(c0 ? { arch: 'resnet50', c0 } : { arch: 'resnet50' });
    const plan = schedule(graph);
    console.log(graph.name, JSON.stringify(summarizePlan(plan)));
    let t = performance.now();
    const constants = new ConstantStore(device, seededWeights(graphParams(graph), 1));
    await constants.upload(plan.constants.values()); console.log('upload', performance.now() - t); t = performance.now();
    const compiled = await pipes.compile(plan.dispatches); console.log('compile', performance.now() - t); t = performance.now();
    const ex = new Executor(device, plan, compiled, pipes, constants); console.log('bind', performance.now() - t);
    all.push({ graph, plan, ex, times: [] });
  }
  for (let r = 0; r < 4; r++) for (const a of all) {
    let t = performance.now();
    const e = device.createCommandEncoder(); a.ex.encode(e); const cb = e.finish(); const te = performance.now() - t; device.queue.submit([cb]); const ts = performance.now() - t;
    await device.queue.onSubmittedWorkDone(); a.times.push(performance.now() - t);
    if (r === 3) console.log(a.graph.name, 'encode', te.toFixed(2), 'submit', ts.toFixed(2), a.times.map((x: number) => x.toFixed(0)).join(' '));
  }
  for (const a of all) {
    const rows: any = {}; const byDispatch: any[] = [];
    for (let i = 0; i < a.plan.dispatches.length; i++) {
      let best = 1e9;
      for (let r = 0; r < 2; r++) { const t = performance.now(); const e = device.createCommandEncoder(); a.ex.encodeRange(e, i, i + 1); device.queue.submit([e.finish()]); await device.queue.onSubmittedWorkDone(); best = Math.min(best, performance.now() - t); }
      const d = a.plan.dispatches[i]; const row = rows[d.kernel.name] ??= { n: 0, ms: 0, macs: 0 }; row.n++; row.ms += best; row.macs += d.macs; byDispatch.push([d.label, d.kernel.name, best.toFixed(1), (d.macs / best / 1e6).toFixed(2), JSON.stringify(d.sizes).slice(0,150)]);
    }
    for (const [k, v] of Object.entries(rows) as any) console.log(a.graph.name, k, v.n, v.ms.toFixed(0) + 'ms', (v.macs / v.ms / 1e6).toFixed(2), 'GMAC/s');
    console.log(byDispatch.sort((x, y) => y[2] - x[2]).slice(0, 14).map(x => x.join(' ')).join('\n'));
  }
}, 300000);

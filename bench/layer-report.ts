/** From the times of dispatches to a report: rates, rooflines, totals by kernel. Pure arithmetic. */
import type { Plan } from '../src/scheduler/plan.ts';
import { dispatchBytes } from './dispatch-bytes.ts';
import type { AdapterLimits, KernelTotal, LayerResult, LayersReport } from './report.ts';
import { boundOf, gigaPerSecond, rooflineMs } from './roofline.ts';
import type { Summary } from './statistics.ts';

/** What becomes of the time of a plan's dispatch number `index`. */
export function layerResult(
  plan: Plan,
  index: number,
  { repeats, timeMs, limits }: { readonly repeats: number; readonly timeMs: Summary; readonly limits: AdapterLimits },
): LayerResult {
  const dispatch = plan.dispatches[index];
  const { label, layer, kernel, macs } = dispatch;
  const moved = dispatchBytes(plan, dispatch);
  const work = { macs, bytes: moved.bytes };
  const leastMs = rooflineMs(work, limits);
  return {
    index,
    label,
    layer,
    kernel: kernel.name,
    macs,
    ...moved,
    repeats,
    timeMs,
    gmacPerS: gigaPerSecond(macs, timeMs.median),
    gbPerS: gigaPerSecond(moved.bytes, timeMs.median),
    rooflineMs: leastMs,
    rooflineShare: leastMs / timeMs.median,
    bound: boundOf(work, limits),
  };
}

/** Sorts and sums. */
export function summarizeLayers(results: readonly LayerResult[]): LayersReport {
  const timeMs = sum(results, (layer) => layer.timeMs.median);
  const names = [...new Set(results.map(({ kernel }) => kernel))];
  const kernels = names.map((kernel): KernelTotal => {
    const own = results.filter((layer) => layer.kernel === kernel);
    const ownMs = sum(own, (layer) => layer.timeMs.median);
    const macs = sum(own, (layer) => layer.macs);
    const bytes = sum(own, (layer) => layer.bytes);
    return {
      kernel,
      dispatches: own.length,
      macs,
      bytes,
      timeMs: ownMs,
      timeShare: ownMs / timeMs,
      gmacPerS: gigaPerSecond(macs, ownMs),
      gbPerS: gigaPerSecond(bytes, ownMs),
      rooflineShare: sum(own, (layer) => layer.rooflineMs) / ownMs,
    };
  });
  return {
    dispatches: [...results].sort((a, b) => b.timeMs.median - a.timeMs.median),
    kernels: kernels.sort((a, b) => b.timeMs - a.timeMs),
    timeMs,
    rooflineMs: sum(results, (layer) => layer.rooflineMs),
  };
}

function sum(layers: readonly LayerResult[], of: (layer: LayerResult) => number): number {
  return layers.reduce((total, layer) => total + of(layer), 0);
}

/** Section `scaling`: how a network's time grows with image size and batch. */
import { throwIfAborted } from '../src/errors.ts';
import { shapeOf } from '../src/graph/graph.ts';
import type { ImageShape } from '../src/tensor/image-shape.ts';
import { problemOf } from './contestant.ts';
import { seededInput, type Entrant } from './entrant.ts';
import type { BenchOptions } from './options.ts';
import type { ScalingPoint, ScalingRatio, ScalingReport } from './report.ts';
import { summarize } from './statistics.ts';

/** Few: eight images of a large network take a software adapter ten seconds. */
const MAX_RUNS = 3;

/** What is measured besides the network's own input. The bars are the work's growth and 2.5 to 5 % more. */
const STEPS = [
  { size: 2, batch: 1, bar: 4.2 },
  { size: 1, batch: 8, bar: 8.2 },
] as const;

/** Times a network at its own input, at twice its size and at eight times its batch, in turns. */
export async function measureScaling(
  entrant: Entrant,
  runs: number,
  seed: number,
  options: BenchOptions,
): Promise<ScalingReport> {
  const { label, session } = entrant;
  const own = shapeOf(session.graph, session.graph.input);
  const inputs = [{ size: 1, batch: 1 }, ...STEPS].map(({ size, batch }) => {
    const shape: ImageShape = { n: own.n * batch, h: own.h * size, w: own.w * size, c: own.c };
    return { shape, latencyMs: [] as number[], gpuTimeMs: [] as number[], problem: undefined as string | undefined };
  });
  const wanted = Math.min(runs, MAX_RUNS);
  // The first round warms up: it makes the plan and its buffers.
  for (let run = 0; run <= wanted; run++) {
    for (const [i, input] of inputs.entries()) {
      if (input.problem !== undefined) continue;
      throwIfAborted(options.signal);
      const { n, h } = input.shape;
      const total = (wanted + 1) * inputs.length;
      options.onProgress?.({ phase: 'scaling', label: `${label} ${n}x${h}x${h}`, done: run * inputs.length + i, total });
      try {
        const { latencyMs, gpuTimeMs } = await session.runTimed(seededInput(input.shape, seed));
        if (run === 0) continue;
        input.latencyMs.push(latencyMs);
        if (gpuTimeMs !== undefined) input.gpuTimeMs.push(gpuTimeMs);
      } catch (error) {
        input.problem = problemOf(error);
      }
    }
  }
  const [base, ...points] = inputs.map(({ shape, latencyMs, gpuTimeMs, problem }): ScalingPoint => ({
    size: shape.h,
    batch: shape.n,
    ...(problem === undefined && { latencyMs: summarize(latencyMs) }),
    ...(problem === undefined && gpuTimeMs.length > 0 && { gpuTimeMs: summarize(gpuTimeMs) }),
    ...(problem !== undefined && { problem }),
  }));
  return { base, ratios: points.map((point, i) => scalingRatio(base, point, STEPS[i].bar)) };
}

/** A point against the base, by medians. */
export function scalingRatio(base: ScalingPoint, point: ScalingPoint, bar: number): ScalingRatio {
  const ratio = (of: 'latencyMs' | 'gpuTimeMs') => {
    const [one, other] = [point[of], base[of]];
    return one && other ? one.median / other.median : undefined;
  };
  const [latencyRatio, gpuTimeRatio] = [ratio('latencyMs'), ratio('gpuTimeMs')];
  return {
    point,
    workRatio: (point.batch * point.size ** 2) / (base.batch * base.size ** 2),
    ...(latencyRatio !== undefined && { latencyRatio }),
    ...(gpuTimeRatio !== undefined && { gpuTimeRatio }),
    bar,
    ...(latencyRatio !== undefined && { isWithinBar: latencyRatio <= bar }),
  };
}

/** Tunes the networks of a search, so that no depth is measured with tuned kernels against another with predicted ones. */
import { graphParams, type Graph } from '../../src/graph/graph.ts';
import { ConstantStore } from '../../src/runtime/constant-store.ts';
import { PacedQueue } from '../../src/runtime/paced-queue.ts';
import { PipelineCache } from '../../src/runtime/pipelines.ts';
import { tuneNetwork } from '../../src/runtime/tuner.ts';
import { choicesOf, isKnown, lookUp, tuningKey, type TunedSignature, type TuningCache } from '../../src/runtime/tuning-cache.ts';
import { distinctChoices, distinctForms } from '../../src/scheduler/isolate.ts';
import { schedule } from '../../src/scheduler/schedule.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import type { SearchHooks, SearchSubject } from './measure.ts';

export interface NetworkTuning extends SearchHooks {
  /** What it knows is not measured again; what is found is added to it. */
  readonly cache: TuningCache;
  /** What is known besides, by signature. */
  readonly known: ReadonlyMap<string, TunedSignature>;
}

/**
 * Tunes one network after the other; each knows what was found of those before it, and one of which all is known is left out.
 * @returns all that is known then, by signature
 * @throws aborted, gpu-validation, out-of-memory, limit-exceeded
 */
export async function tuneNetworks(
  { engine, scheduleOptions }: SearchSubject,
  graphs: readonly Graph[],
  { cache, known: before, signal, onProgress, onWarning }: NetworkTuning,
): Promise<ReadonlyMap<string, TunedSignature>> {
  const queue = new PacedQueue(engine.device);
  const pipelines = new PipelineCache(engine.device, scheduleOptions.dtype ?? 'f32');
  const cached = await lookUp(cache, tuningKey(engine.adapter));
  let known: ReadonlyMap<string, TunedSignature> = new Map([...Object.entries(cached?.signatures ?? {}), ...before]);
  const isTuned = (graph: Graph) => {
    const plan = schedule(graph, engine.limits, { ...scheduleOptions, choices: choicesOf(known) });
    return [...distinctForms(plan), ...distinctChoices(plan)].every((choice) => isKnown(choice, known));
  };
  for (const [done, graph] of graphs.entries()) {
    if (isTuned(graph)) continue;
    const weights = seededWeights(graphParams(graph), 1);
    const constants = new ConstantStore(engine.device, weights);
    try {
      const tuned = await tuneNetwork(
        { engine, queue, graph, weights, scheduleOptions, pipelines, constants, signal },
        { cache, known, fresh: false, onProgress: ({ signature }) => onProgress?.({ phase: 'tune', done, total: graphs.length, ...(signature && { work: signature }) }) },
      );
      known = tuned.known;
      for (const problem of tuned.report.problems) onWarning?.(problem);
    } finally {
      constants.destroy();
    }
  }
  return known;
}

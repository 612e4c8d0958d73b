/** All that is fuzzed: everything that reads bytes, or data of somebody else's. */
import fc from 'fast-check';
import type { Target } from './target.ts';
import { reports, requests } from './targets/bench.ts';
import { caches, downloads } from './targets/download.ts';
import { depthFiles, inputFiles, tuningFiles } from './targets/files.ts';
import { gzip, idx } from './targets/idx.ts';
import { images } from './targets/image.ts';
import { depthMaps, models } from './targets/model.ts';
import { safetensors, safetensorsWriter } from './targets/safetensors.ts';
import { tuningRecords } from './targets/tuning.ts';

export const targets: readonly Target[] = [
  safetensors, safetensorsWriter, inputFiles, models, depthMaps, depthFiles, idx, gzip, images, tuningFiles, tuningRecords, reports, requests, downloads, caches,
];

export interface Trial {
  readonly target: string;
  readonly seed: number;
  readonly runs: number;
  /** Of a finding: leads from the seed to the smallest input that fails. */
  readonly path?: string;
}

export interface TrialResult {
  readonly executions: number;
  readonly finding?: { readonly path: string; readonly input: string; readonly problem: string };
}

/** What is waited for longer never comes. */
const HANGS_AFTER_MS = 20_000;

/** Runs a target on inputs from a seed, up to the first that fails, made as small as it gets. */
export async function fuzz({ target, seed, runs, path }: Trial): Promise<TrialResult> {
  const found = targets.find(({ name }) => name === target);
  if (!found) throw new Error(`there is no target ${target}; there are ${targets.map(({ name }) => name).join(', ')}`);
  const details = await fc.check(found.property, { seed, numRuns: runs, timeout: HANGS_AFTER_MS, ...(path !== undefined && { path }) });
  const executions = details.numRuns + details.numShrinks;
  if (!details.failed) return { executions };
  const { counterexample, counterexamplePath, errorInstance } = details;
  const problem = errorInstance instanceof Error ? describe(errorInstance) : String(errorInstance);
  return { executions, finding: { path: counterexamplePath!, input: fc.stringify(counterexample![0]), problem } };
}

function describe({ stack, message, cause }: Error): string {
  return [stack ?? message, ...(cause instanceof Error ? [`caused by ${describe(cause)}`] : [])].join('\n');
}

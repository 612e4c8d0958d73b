/**
 * Plans without certain pipelines: those that a self-test found to compute something else on the adapter at hand. First another
 * kernel does the op; where there is none, passes are left out until the plan has other ops, at worst all of them. What even that
 * needs has no alternative, and stays.
 */
import { CompConvError } from '../errors.ts';
import type { FusedOp } from '../kernels/fused-op.ts';
import { lower, type KernelAttrs } from '../kernels/kernels.ts';
import type { KernelCall, Lowered, Surroundings } from '../kernels/kernel.ts';
import { pipelineKey, type Plan } from './plan.ts';

/** Whether any of the dispatches has one of those pipelines. */
export function uses(dispatches: readonly KernelCall[], excluded: ReadonlySet<string>): boolean {
  return excluded.size > 0 && dispatches.some((dispatch) => excluded.has(pipelineKey(dispatch)));
}

/** As `lower`, by the first candidate whose pipeline is not excluded; by the usual one if all are. */
export function lowerAvoiding(op: FusedOp<KernelAttrs>, around: Surroundings, excluded: ReadonlySet<string>): Lowered {
  const usual = lower(op, around);
  if (!uses(usual.dispatches, excluded)) return usual;
  for (const { signature, candidates } of usual.dispatches.flatMap(({ choice }) => choice ?? [])) {
    for (const candidate of candidates) {
      const other = lower(op, { ...around, choices: new Map([...(around.choices ?? []), [signature, candidate]]) });
      if (!uses(other.dispatches, excluded)) return other;
    }
  }
  return usual;
}

/**
 * The first plan that has none of those pipelines: with all passes, without one of them, without the last ones, without any.
 * @param make plans without some passes, choosing kernels by `lowerAvoiding`
 * @returns the plan with all passes if every other one has excluded pipelines, too
 */
export function planAvoiding<Pass>(passes: readonly Pass[], excluded: ReadonlySet<string>, make: (without: readonly Pass[]) => Plan): Plan {
  const usual = make([]);
  if (!uses(usual.dispatches, excluded)) return usual;
  for (const without of [...passes.map((pass) => [pass]), ...passes.map((_, index) => passes.slice(index)).reverse()]) {
    try {
      const other = make(without);
      if (!uses(other.dispatches, excluded)) return other;
    } catch (error) {
      // Without a pass a value may be there that does not fit.
      if (!(error instanceof CompConvError) || error.code !== 'limit-exceeded') throw error;
    }
  }
  return usual;
}

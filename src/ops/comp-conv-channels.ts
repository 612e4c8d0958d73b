/**
 * The channel arithmetic of CompConv (spec, sections 1 and 2): how wide each part is at a recursion depth, which depths
 * are feasible, and the adaptive depth. Pure numbers; `comp-conv.ts` is the op, `modules/comp-conv.ts` its expansion.
 */
import { CompConvError, show } from '../errors.ts';

/** Recursion depth of the module; 0 is the plain convolution. */
export type Depth = 0 | 1 | 2 | 3;
export const MAX_DEPTH = 3;

/** The convolution that a module replaces. */
export interface ReplacedConv {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: number;
  readonly padding: number;
}

/** Widths of the parts of a module of depth >= 1. */
export interface CompConvChannels {
  /** `C_prim`, the primitive unit `c`. */
  readonly primitive: number;
  /** `c_i` at index `i`: width of `X_B[i]`, and of `X_A[i]` for i >= 1. */
  readonly widths: readonly number[];
  /** `t`: channels of `X_A[0]` that are left once the surplus is dropped. */
  readonly tail: number;
  /** `[begin, end)` of the input's channels that `X_A[i]` takes, at index `i`; index 0 is unused. */
  readonly identity: readonly (readonly [begin: number, end: number])[];
}

/** Channel plan for `outChannels` at depth 1..3, whether a layer has enough of them or not. */
export function compConvChannels(outChannels: number, depth: number): CompConvChannels {
  const primitive = Math.ceil(outChannels / (2 * (2 ** depth - 1)));
  const widths = Array.from({ length: depth }, (_, i) => 2 ** (depth - 1 - i) * primitive);
  const others = 2 * widths.slice(1).reduce((sum, width) => sum + width, 0) + widths[0];
  const identity = widths.map((width, i) => {
    const begin = primitive * (2 ** (depth - 1 - i) - 1);
    return [begin, i === 0 ? begin : begin + width] as const;
  });
  return { primitive, widths, tail: outChannels - others, identity };
}

/** The rule that makes a depth infeasible for a convolution, in words; undefined if the depth is feasible. */
export function depthProblem(conv: ReplacedConv, depth: number): string | undefined {
  if (depth === 0) return undefined;
  const { inChannels, outChannels, kernelSize, padding } = conv;
  if (kernelSize % 2 === 0) return `needs an odd kernel size for its "same" convolutions, got ${kernelSize}`;
  if (depth >= 2 && padding !== (kernelSize - 1) / 2) {
    return `needs padding ${(kernelSize - 1) / 2} so that its identity slices line up, got ${padding}`;
  }
  const { primitive, tail } = compConvChannels(outChannels, depth);
  const sliced = primitive * (2 ** (depth - 1) - 1);
  if (tail < 1) return `leaves none of the ${outChannels} output channels for its tail, which needs at least 1`;
  if (sliced > inChannels) return `needs ${sliced} input channels for its identity slices, got ${inChannels}`;
  return undefined;
}

/** The deepest feasible depth that is at most `limit`; 0 at worst. */
export function deepestFeasibleDepth(conv: ReplacedConv, limit: number = MAX_DEPTH): Depth {
  for (let depth = limit; depth > 0; depth--) if (!depthProblem(conv, depth)) return depth as Depth;
  return 0;
}

/** Adaptive depth of one layer: `min(floor(log2(max(1, C_in / C_0))) + 1, 3)`, lowered to the deepest feasible one. */
export function adaptiveDepth(conv: ReplacedConv, c0: number): Depth {
  // Doubling instead of a logarithm, which could round a power of two down.
  let depth = 1;
  while (depth < MAX_DEPTH && conv.inChannels >= c0 * 2 ** depth) depth++;
  return deepestFeasibleDepth(conv, depth);
}

/** Checks an explicit depth. @throws invalid-graph naming the rule that failed and the deepest feasible depth. */
export function checkDepth(conv: ReplacedConv, depth: unknown, where: string): asserts depth is Depth {
  if (typeof depth !== 'number' || !Number.isInteger(depth) || depth < 0 || depth > MAX_DEPTH) {
    throw new CompConvError('invalid-graph', `${where}: depth must be an integer from 0 to ${MAX_DEPTH}, got ${show(depth)}`);
  }
  const problem = depthProblem(conv, depth);
  if (problem) {
    throw new CompConvError(
      'invalid-graph',
      `${where}: depth ${depth} ${problem}; the deepest feasible depth is ${deepestFeasibleDepth(conv)}`,
    );
  }
}

/** A network in a benchmark: loaded, run once, and verified against the CPU reference before anything is timed. */
import { shapeOf, withInputShape } from '../src/graph/graph.ts';
import { seededModel, type NetworkModel } from '../src/models/load-model.ts';
import { runReference, toTensor } from '../src/reference/run.ts';
import { createSession, type Session, type SessionOptions } from '../src/runtime/session.ts';
import { summarizePlan } from '../src/scheduler/plan.ts';
import type { Dtype } from '../src/tensor/dtype.ts';
import { elementCount, type Tensor } from '../src/tensor/tensor.ts';
import type { ImageShape } from '../src/tensor/image-shape.ts';
import { seededUniform } from '../src/weights/seeded.ts';
import { countMoves } from './dispatch-bytes.ts';
import type { BenchNetwork, BenchOptions } from './options.ts';
import type { BenchResult, LoadTimes } from './report.ts';
import { relativeL2 } from './statistics.ts';

/** What must be reached against the reference's float64: with float32 as against PyTorch. */
export const VERIFY_TOLERANCE: Readonly<Record<Dtype, number>> = { f32: 1e-5, f16: 5e-3 };

export interface Entrant {
  readonly label: string;
  readonly model: NetworkModel;
  readonly session: Session;
  readonly input: Tensor;
  /** First output for `input`, which every later one must repeat. */
  readonly firstOutput: Tensor;
  readonly load: LoadTimes;
  relativeError: number;
  problem: string | undefined;
}

/** What of the options opens a session; absent ones stay absent. */
export function sessionOptions(options: BenchOptions): SessionOptions {
  const { device, adapter, gpu, powerPreference, signal, schedule, withoutPasses, dtype, tuning } = options;
  return {
    ...(device && { device }),
    ...(adapter && { adapter }),
    ...(gpu && { gpu }),
    ...(powerPreference && { powerPreference }),
    ...(signal && { signal }),
    ...(schedule && { schedule }),
    ...(withoutPasses && { withoutPasses }),
    ...(dtype && { dtype }),
    ...(tuning && { tuning }),
  };
}

/** Loads a network and runs it once, which is timed. */
export async function enter(
  { label, options: network }: BenchNetwork,
  { size, batch, seed }: { readonly size: number; readonly batch: number; readonly seed: number },
  options: BenchOptions,
): Promise<Entrant> {
  const model = seededModel(network, seed, { batch, height: size });
  const input = seededInput(shapeOf(model.graph, model.graph.input), seed);
  const start = performance.now();
  const last = { upload: 0, compile: 0 };
  const session = await createSession(model, {
    ...sessionOptions(options),
    onProgress: ({ phase }) => (last[phase] = performance.now() - start),
  });
  try {
    options.onSession?.(session);
    const sessionMs = performance.now() - start;
    const { output, latencyMs } = await session.runTimed(input);
    const load = {
      uploadMs: last.upload,
      compileMs: last.compile,
      sessionMs,
      firstRunMs: latencyMs,
      totalMs: sessionMs + latencyMs,
    };
    return { label, model, session, input, firstOutput: output, load, relativeError: NaN, problem: undefined };
  } catch (error) {
    session.dispose();
    throw error;
  }
}

/** `[N, C, H, W]` between -1 and 1. */
export function seededInput({ n, h, w, c }: ImageShape, seed: number): Tensor {
  const shape = [n, c, h, w];
  return { shape, data: seededUniform(seed, 'input', elementCount(shape), -1, 1) };
}

/**
 * Compares logits with the reference's: at the size that is timed those of the first output's first image; at another one
 * those of an input of that size, in the same session and so with the same weights and kernels.
 */
export async function verify(entrant: Entrant, size: number, seed: number): Promise<void> {
  const { model, session, firstOutput } = entrant;
  const { h, c } = shapeOf(model.graph, model.graph.input);
  const shape = { n: 1, h: size, w: size, c };
  const graph = withInputShape(model.graph, shape);
  const input = size === h ? firstImage(entrant.input) : seededInput(shape, seed);
  const expected = toTensor(runReference(graph, model.weights, input).get(graph.output)!);
  const actual = size === h ? firstImage(firstOutput) : await session.run(input);
  entrant.relativeError = relativeL2(actual.data, expected.data);
  const tolerance = VERIFY_TOLERANCE[session.dtype];
  if (!(entrant.relativeError <= tolerance)) {
    const error = entrant.relativeError.toExponential(1);
    entrant.problem = `relative error ${error} against the CPU reference is above ${tolerance.toExponential(0)}`;
  } else if (!firstOutput.data.every(Number.isFinite) || firstOutput.data.every((value) => value === 0)) {
    entrant.problem = 'the output at full size is not finite, or all zero';
  }
}

function firstImage({ shape: [n, ...shape], data }: Tensor): Tensor {
  return { shape: [1, ...shape], data: data.subarray(0, data.length / n) };
}

/** What a network is: everything about it but times. @param first the first network; undefined for itself */
export function describeEntrant(entrant: Entrant, first: Entrant | undefined): Omit<BenchResult, 'verified'> {
  const { label, model, session, relativeError } = entrant;
  const { macs, params } = session.cost.total;
  const { plan } = session;
  const { dispatches, pipelines, activationBytes, activationLowerBoundBytes, constantBytes } = summarizePlan(plan);
  return {
    label,
    network: model.graph.name,
    options: model.options,
    dtype: session.dtype,
    ...(session.dtypeFallback !== undefined && { dtypeFallback: session.dtypeFallback }),
    macs,
    params,
    dispatches,
    moves: countMoves(plan),
    pipelines,
    weightBytes: constantBytes,
    activationBytes,
    activationLowerBoundBytes,
    activationRatio: activationBytes / activationLowerBoundBytes,
    relativeError: Number.isFinite(relativeError) ? relativeError : null,
    macsRatio: (first ?? entrant).session.cost.total.macs / macs,
  };
}

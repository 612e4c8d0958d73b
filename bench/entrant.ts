/** One of our networks in a benchmark: loaded, run once, and verified against the CPU reference before anything is timed. */
import { throwIfAborted } from '../src/errors.ts';
import { networkCost } from '../src/graph/cost.ts';
import { inputShapes, shapeOf, withInputShape, type Graph } from '../src/graph/graph.ts';
import { seededModel, type NetworkModel } from '../src/models/read-model.ts';
import { referenceSteps, toTensor } from '../src/reference/run.ts';
import { createSession, type Session } from '../src/runtime/session.ts';
import type { SessionOptions } from '../src/runtime/session-options.ts';
import { summarizePlan } from '../src/scheduler/plan.ts';
import type { Dtype } from '../src/tensor/dtype.ts';
import { elementCount, type Tensor } from '../src/tensor/tensor.ts';
import type { ImageShape } from '../src/tensor/image-shape.ts';
import { seededUniform } from '../src/weights/seeded.ts';
import type { Weights } from '../src/weights/weights.ts';
import { problemOf, type Contestant } from './contestant.ts';
import { countMoves } from './dispatch-bytes.ts';
import type { BenchNetwork, BenchOptions } from './options.ts';
import type { BenchResult, GraphLayer, LoadTimes, PlanCounts, ReportOptions } from './report.ts';
import { relativeL2 } from './statistics.ts';

/** What must be reached against the reference's float64: with float32 as against PyTorch. */
const VERIFY_TOLERANCE: Readonly<Record<Dtype, number>> = { f32: 1e-5, f16: 5e-3 };
/** MACs per image up to which the reference's plain loops are worth the wait: ten seconds or so. */
const VERIFY_MACS = 5e9;
/** Larger networks are verified at this size: large enough for every architecture. */
const VERIFY_SIZE = 64;

/** A network with a session, ready to be timed. */
export interface Entrant extends Contestant {
  readonly network: BenchNetwork;
  readonly model: NetworkModel;
  readonly session: Session;
  readonly input: Tensor;
  readonly load: LoadTimes;
  relativeError: number;
}

/** A network that the adapter could not take. */
export interface Absentee {
  readonly network: BenchNetwork;
  readonly model: NetworkModel;
  readonly problem: string;
}

/** What of the options opens a session; absent ones stay absent. */
export function sessionOptions(options: BenchOptions): SessionOptions {
  const { device, gpu, powerPreference, signal, schedule, withoutPasses, forcedPasses, dtype, tuning } = options;
  return {
    ...(device && { device }),
    ...(gpu && { gpu }),
    ...(powerPreference && { powerPreference }),
    ...(signal && { signal }),
    ...(schedule && { schedule }),
    ...(withoutPasses && { withoutPasses }),
    ...(forcedPasses && { forcedPasses }),
    ...(dtype && { dtype }),
    ...(tuning && { tuning }),
  };
}

/** Loads a network and runs it once, which is timed. @throws what concerns more than this network */
export async function enter(network: BenchNetwork, asked: ReportOptions, options: BenchOptions): Promise<Entrant | Absentee> {
  const { label } = network;
  const { size, batch, seed } = asked;
  const made = seededModel(network.options, seed, { batch, ...(size !== undefined && { height: size }) });
  const { weights, spentMs } = timed(made.weights);
  const model = { ...made, weights };
  let session: Session | undefined;
  try {
    const start = performance.now();
    const last = { upload: 0, compile: 0 };
    session = await createSession(model, {
      ...sessionOptions(options),
      // Networks share nothing, so that what one of them takes is its own.
      ownDevice: true,
      onProgress: ({ phase, done, total }) => {
        last[phase] = performance.now() - start;
        options.onProgress?.({ phase, label, done, total });
      },
    });
    options.onSession?.(session);
    const sessionMs = performance.now() - start;
    // After the adapter's limits were checked: what does not fit them may not fit the host either.
    const input = seededInput(shapeOf(model.graph, model.graph.input), seed);
    options.onProgress?.({ phase: 'first-run', label });
    const { output, latencyMs } = await session.runTimed(input, { allowNonFinite: true });
    const load = {
      weightsMs: spentMs(),
      uploadMs: last.upload,
      compileMs: last.compile,
      sessionMs,
      firstRunMs: latencyMs,
      totalMs: sessionMs + latencyMs,
    };
    // A number that is none is a wrong result, like any other.
    const run = () => session!.runTimed(input, { allowNonFinite: true });
    const tolerance = VERIFY_TOLERANCE[session.dtype];
    const common = { label, network, model, session, input, load, run, tolerance, firstOutput: output };
    return { ...common, relativeError: NaN, problem: undefined, problemOf };
  } catch (error) {
    session?.dispose();
    return { network, model, problem: problemOf(error) };
  }
}

export function isEntrant(candidate: Entrant | Absentee): candidate is Entrant {
  return 'session' in candidate;
}

/** `[N, C, H, W]` between -1 and 1. */
export function seededInput({ n, h, w, c }: ImageShape, seed: number): Tensor {
  const shape = [n, c, h, w];
  return { shape, data: seededUniform(seed, 'input', elementCount(shape), -1, 1) };
}

/** The size at which a network is verified: the one that is timed, if the reference can compute it within reason. */
function verifySize(graph: Graph): number {
  const { n, h } = shapeOf(graph, graph.input);
  return networkCost(graph).total.macs / n <= VERIFY_MACS ? h : Math.min(h, VERIFY_SIZE);
}

/**
 * Compares logits with the reference's: at the size that is timed those of the first output's first image. At another one those
 * of an input of that size, in the same session and so with the same weights; since another size may need other kernels, those of
 * the size that is timed are tried one by one (`Session.selfTest`).
 * @throws aborted
 */
export async function verify(entrant: Entrant, seed: number, { signal, onProgress }: Pick<BenchOptions, 'signal' | 'onProgress'> = {}): Promise<void> {
  const { label, model, session, firstOutput, tolerance } = entrant;
  const { h, c } = shapeOf(model.graph, model.graph.input);
  const size = verifySize(model.graph);
  const shape = { n: 1, h: size, w: size, c };
  const graph = withInputShape(model.graph, shape);
  const input = size === h ? firstImage(entrant.input) : seededInput(shape, seed);
  const expected = await reference(graph, model.weights, input, signal);
  const actual = size === h ? firstImage(firstOutput) : await session.run(input, { allowNonFinite: true });
  entrant.relativeError = relativeL2(actual.data, expected.data);
  if (!(entrant.relativeError <= tolerance)) {
    const error = entrant.relativeError.toExponential(1);
    entrant.problem = `relative error ${error} against the CPU reference is above ${tolerance.toExponential(0)}`;
  } else if (!firstOutput.data.every(Number.isFinite) || firstOutput.data.every((value) => value === 0)) {
    entrant.problem = 'the output at full size is not finite, or all zero';
  } else if (size !== h) {
    const { variants } = await session.selfTest({ signal, onProgress: ({ done, total }) => onProgress?.({ phase: 'verify', label, done, total }) });
    const failed = variants.filter(({ status }) => status === 'failed');
    if (failed.length > 0) entrant.problem = `wrong against the CPU reference: ${failed.map(({ variant, problem }) => `${variant}: ${problem}`).join('; ')}`;
  }
}

/** What the network gives by the CPU reference, which blocks: whatever else waits gets its turn after each layer. */
async function reference(graph: Graph, weights: Weights, input: Tensor, signal: AbortSignal | undefined): Promise<Tensor> {
  const steps = referenceSteps(graph, weights, input);
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve));
    throwIfAborted(signal);
    const step = steps.next();
    if (step.done) return toTensor(step.value.get(graph.output)!);
  }
}

function firstImage({ shape: [n, ...shape], data }: Tensor): Tensor {
  return { shape: [1, ...shape], data: data.subarray(0, data.length / n) };
}

/** What a network is, without its times. @param baseline what it is compared with */
export function describeEntrant(candidate: Entrant | Absentee, baseline: Entrant | Absentee): Omit<BenchResult, 'verified'> {
  const { network, model } = candidate;
  const { graph, options } = model;
  const { macs, params } = networkCost(graph).total;
  const about = {
    label: network.label,
    network: graph.name,
    options,
    baseline: baseline.network.label,
    inputShape: torchShape(shapeOf(graph, graph.input)),
    macs,
    params,
    macsRatio: networkCost(baseline.model.graph).total.macs / macs,
    graphLayers: graphLayers(graph),
    verifySize: verifySize(graph),
  };
  if (!isEntrant(candidate)) return { ...about, relativeError: null, verifyTolerance: VERIFY_TOLERANCE.f32 };
  const { session, relativeError, tolerance } = candidate;
  return {
    ...about,
    plan: planCounts(session),
    dtype: session.dtype,
    ...(session.dtypeFallback !== undefined && { dtypeFallback: session.dtypeFallback }),
    relativeError: Number.isFinite(relativeError) ? relativeError : null,
    verifyTolerance: tolerance,
  };
}

function planCounts({ plan }: Session): PlanCounts {
  const { dispatches, pipelines, activationBytes, activationLowerBoundBytes, constantBytes } = summarizePlan(plan);
  return {
    dispatches,
    moves: countMoves(plan),
    pipelines,
    weightBytes: constantBytes,
    activationBytes,
    activationLowerBoundBytes,
    activationRatio: activationBytes / activationLowerBoundBytes,
  };
}

/** Convolutions, linear layers and pools of a graph. */
function graphLayers(graph: Graph): GraphLayer[] {
  const costs = new Map(networkCost(graph).layers.map((layer) => [layer.name, layer]));
  return graph.nodes.flatMap((node): GraphLayer[] => {
    const { name, attrs } = node;
    const cost = costs.get(name);
    if (!cost || (cost.macs === 0 && !attrs.op.endsWith('-pool'))) return [];
    return [
      {
        name,
        op: attrs.op,
        ...(cost.depth !== undefined && { depth: cost.depth }),
        ...('kernelSize' in attrs && { kernelSize: attrs.kernelSize, stride: attrs.stride }),
        inputShape: torchShape(inputShapes(graph, node)[0]),
        outputShape: torchShape(cost.output),
        macs: cost.macs,
        params: cost.params,
      },
    ];
  });
}

function torchShape({ n, c, h, w }: ImageShape): number[] {
  return [n, c, h, w];
}

/** The same weights, and how long they have taken to make so far. */
function timed(weights: Weights): { weights: Weights; spentMs(): number } {
  let spentMs = 0;
  return {
    spentMs: () => spentMs,
    weights: {
      shapes: weights.shapes,
      get(name) {
        const start = performance.now();
        const tensor = weights.get(name);
        spentMs += performance.now() - start;
        return tensor;
      },
    },
  };
}

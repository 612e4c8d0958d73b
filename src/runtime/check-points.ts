/**
 * What some dispatches of a plan wrote, compared with the CPU's truth at sampled elements. That everything is written, finite, and 0
 * in the padding, is looked at everywhere.
 */
import { invariant } from '../errors.ts';
import type { Graph } from '../graph/graph.ts';
import { PointReference, type Roundoff } from '../reference/point.ts';
import type { Excerpt } from '../scheduler/isolate.ts';
import type { PlannedValue } from '../scheduler/memory.ts';
import { LANES, PADDING, channelsOfLanes } from '../tensor/channel-layout.ts';
import { formatImageShape, type ImageShape } from '../tensor/image-shape.ts';
import type { Dtype } from '../tensor/dtype.ts';
import type { Weights } from '../weights/weights.ts';
import { samplePoints } from './sample-points.ts';
import { madeUpValues } from './trial.ts';

/** So many times the error that rounding leads to expect is taken for wrong. */
const TOLERANCE = 20;

/** Unit roundoff of float32 and binary16. */
const ROUNDOFF: Readonly<Record<Dtype, Roundoff>> = { f32: { sum: 2 ** -24, stored: 2 ** -24 }, f16: { sum: 2 ** -24, stored: 2 ** -11 } };

export interface Comparison {
  readonly elements: number;
  /** The largest error, next to what is tolerated of that element. */
  readonly worst: number;
  /** The first element that is wrong, in words. */
  readonly problem?: string;
}

/**
 * Compares results with those expected of inputs as `Trial` makes them up.
 * @param graph of the plan, modules expanded
 * @param results as they lie on the GPU, NaN where nothing was written
 */
export function comparePoints(plan: Excerpt, graph: Graph, weights: Weights, results: ReadonlyMap<string, Float32Array>): Comparison {
  const { dtype, values } = plan;
  const given = new Map(plan.inputs.map((name) => [name, madeUpValues(name, values.get(name)!.shape, dtype)]));
  const reference = new PointReference(graph, weights, given, ROUNDOFF[dtype]);
  let [elements, wrong, worst] = [0, 0, 0];
  let first: string | undefined;
  for (const [name, data] of results) {
    const value = values.get(name)!;
    const { shape, pitch, layout } = value;
    const channels = writtenChannels(plan, name, value);
    const unfit = findUnfit(data, value, channels);
    if (unfit !== undefined) {
      first ??= `${name} ${formatImageShape(shape)} ${unfit}`;
      worst = Infinity;
    }
    for (const [pixel, sampled] of samplePoints(name, shape, channels)) {
      for (const channel of sampled) {
        const got = data[pixel * pitch + layout.lanes[channel]];
        const expected = reference.at(name, pixel, channel);
        const tolerated = TOLERANCE * Math.sqrt(expected.variance);
        const error = Math.abs(got - expected.value);
        const ratio = error === 0 ? 0 : error / tolerated;
        elements++;
        // So that NaN is the worst, and wrong.
        worst = Number.isNaN(ratio) ? Infinity : Math.max(worst, ratio);
        if (ratio <= 1) continue;
        wrong++;
        first ??= `${name} ${formatImageShape(shape)} ${place(shape, pixel)}, channel ${channel}: got ${got}, expected ${expected.value}, off by more than ${tolerated.toExponential(1)}`;
      }
    }
  }
  invariant(elements > 0, `${plan.name} writes nothing that could be compared`);
  return { elements, worst, ...(first !== undefined && { problem: `${first}; ${wrong} of ${elements} elements differ` }) };
}

/** The first element that is not finite, or not even written, and the first of the padding beside them that is not 0; in words. */
function findUnfit(data: Float32Array, { shape, pitch, layout }: PlannedValue, channels: readonly number[]): string | undefined {
  const channelOf = channelsOfLanes(layout);
  const vectors = new Set(channels.map((channel) => layout.lanes[channel] - (layout.lanes[channel] % LANES)));
  const lanes = [...vectors].flatMap((vector) => Array.from({ length: LANES }, (_, lane) => vector + lane));
  for (let pixel = 0, begin = 0; begin < data.length; pixel++, begin += pitch) {
    for (const lane of lanes) {
      const got = data[begin + lane];
      const isPadding = channelOf[lane] === PADDING;
      // What reads padding multiplies it by 0, which is 0 of what is finite only.
      if (isPadding ? got === 0 : Number.isFinite(got)) continue;
      return `${place(shape, pixel)}, ${isPadding ? `padding lane ${lane}` : `channel ${channelOf[lane]}`}: got ${got}${isPadding ? ', expected 0' : ''}`;
    }
  }
  return undefined;
}

/** The channels of a value that an excerpt's own dispatches write. */
function writtenChannels({ parts, dispatches }: Excerpt, name: string, { shape }: PlannedValue): readonly number[] {
  const labels = new Set(dispatches.map(({ label }) => label));
  const own = parts.get(name)?.filter(({ label }) => labels.has(label));
  return own ? own.flatMap(({ channels }) => channels) : Array.from({ length: shape.c }, (_, channel) => channel);
}

function place({ h, w }: ImageShape, pixel: number): string {
  return `at image ${Math.floor(pixel / (h * w))}, row ${Math.floor(pixel / w) % h}, column ${pixel % w}`;
}

/** What some dispatches of a plan wrote, compared with the CPU's truth at sampled elements. */
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
  let first = '';
  const note = (ratio: number, found: () => string) => {
    elements++;
    // So that NaN is the worst.
    worst = Number.isNaN(ratio) ? Infinity : Math.max(worst, ratio);
    if (ratio <= 1) return;
    if (wrong++ === 0) first = found();
  };
  for (const [name, data] of results) {
    const value = values.get(name)!;
    const { shape, pitch, layout } = value;
    const channelOf = channelsOfLanes(layout);
    for (const [pixel, channels] of samplePoints(name, shape, writtenChannels(plan, name, value))) {
      const vectors = new Set<number>();
      for (const channel of channels) {
        const lane = layout.lanes[channel];
        const got = data[pixel * pitch + lane];
        const expected = reference.at(name, pixel, channel);
        const tolerated = TOLERANCE * Math.sqrt(expected.variance);
        const error = Math.abs(got - expected.value);
        note(error === 0 ? 0 : error / tolerated, () => `${place(name, shape, pixel, channel)}: got ${got}, expected ${expected.value}, off by more than ${tolerated.toExponential(1)}`);
        vectors.add(lane - (lane % LANES));
      }
      // What reads them adds padding lanes, too, times weights of 0.
      for (const vector of vectors) {
        for (let lane = vector; lane < vector + LANES; lane++) {
          const got = data[pixel * pitch + lane];
          if (channelOf[lane] === PADDING && got !== 0) note(Infinity, () => `${place(name, shape, pixel)}, padding lane ${lane}: got ${got}, expected 0`);
        }
      }
    }
  }
  invariant(elements > 0, `${plan.name} writes nothing that could be compared`);
  return { elements, worst, ...(wrong > 0 && { problem: `${first}; ${wrong} of ${elements} elements differ` }) };
}

/** The channels of a value that an excerpt's own dispatches write. */
function writtenChannels({ parts, dispatches }: Excerpt, name: string, { shape }: PlannedValue): readonly number[] {
  const labels = new Set(dispatches.map(({ label }) => label));
  const own = parts.get(name)?.filter(({ label }) => labels.has(label));
  return own ? own.flatMap(({ channels }) => channels) : Array.from({ length: shape.c }, (_, channel) => channel);
}

function place(name: string, shape: ImageShape, pixel: number, channel?: number): string {
  const { h, w } = shape;
  const at = [`image ${Math.floor(pixel / (h * w))}`, `row ${Math.floor(pixel / w) % h}`, `column ${pixel % w}`];
  return `${name} ${formatImageShape(shape)} at ${[...at, ...(channel === undefined ? [] : [`channel ${channel}`])].join(', ')}`;
}

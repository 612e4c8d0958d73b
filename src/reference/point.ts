/**
 * Single elements of a graph's values in float64, straight from what the ops mean: recursion from the element asked for to values
 * that are given. What a self-test compares a few thousand elements of a layer with, without computing the layer.
 *
 * Every element comes with the variance of the rounding errors that a sum in float32 of stored values makes on the way, by the
 * model of a random walk: adding n terms one after the other is off by u |s| sqrt(n / 6) on average. So whoever compares needs no
 * tolerance by kernel or size. Modules must be expanded. It shares no code with kernels, scheduler or the rest of the reference.
 */
import { inputShapes, shapeOf, type Graph } from '../graph/graph.ts';
import type { Node, OpAttrs } from '../ops/node.ts';
import type { Weights } from '../weights/weights.ts';
import { evaluators, type Context, type Evaluate, type Point, type Roundoff, type Row } from './point-ops.ts';

export type { Point, Roundoff } from './point-ops.ts';

export class PointReference {
  readonly #graph: Graph;
  readonly #weights: Weights;
  readonly #given: ReadonlyMap<string, Float32Array>;
  readonly #roundoff: Roundoff;
  readonly #nodes: ReadonlyMap<string, Node>;
  readonly #contexts = new Map<string, Context>();
  /** By value, then pixel. */
  readonly #rows = new Map<string, Map<number, Row>>();
  readonly #params = new Map<string, Float32Array>();

  /**
   * @param graph without modules
   * @param given values that are not computed, NHWC, dense: at least so many that the recursion ends in them
   */
  constructor(graph: Graph, weights: Weights, given: ReadonlyMap<string, Float32Array>, roundoff: Roundoff) {
    this.#graph = graph;
    this.#weights = weights;
    this.#given = given;
    this.#roundoff = roundoff;
    this.#nodes = new Map(graph.nodes.map((node) => [node.name, node]));
  }

  /** One element of a node's value. `pixel` counts through all images, row by row. */
  at(value: string, pixel: number, channel: number): Point {
    const { values, variances } = this.#read(value, pixel, channel, channel + 1);
    return { value: values[channel], variance: variances[channel] };
  }

  #read(value: string, pixel: number, begin: number, end: number): Row {
    let rows = this.#rows.get(value);
    if (!rows) this.#rows.set(value, (rows = new Map<number, Row>()));
    let row = rows.get(pixel);
    if (!row) rows.set(pixel, (row = this.#newRow(value, pixel)));
    if (this.#given.has(value)) return row;
    const { values, variances } = row;
    for (let channel = begin; channel < end; channel++) {
      if (!Number.isNaN(values[channel])) continue;
      const point = this.#evaluate(value, pixel, channel);
      values[channel] = point.value;
      // What is stored is rounded, and what is not might have been.
      variances[channel] = point.variance + roundingVariance(point.value, this.#roundoff.stored);
    }
    return row;
  }

  #newRow(value: string, pixel: number): Row {
    const { c } = shapeOf(this.#graph, value);
    const given = this.#given.get(value);
    if (given) return { values: new Float64Array(given.subarray(pixel * c, (pixel + 1) * c)), variances: new Float64Array(c) };
    return { values: new Float64Array(c).fill(NaN), variances: new Float64Array(c) };
  }

  #evaluate(value: string, pixel: number, channel: number): Point {
    const { attrs } = this.#nodes.get(value)!;
    return (evaluators[attrs.op] as Evaluate<OpAttrs>)(attrs, this.#context(value), pixel, channel);
  }

  #context(value: string): Context {
    let context = this.#contexts.get(value);
    if (!context) {
      const node = this.#nodes.get(value)!;
      const { sum: unit, stored } = this.#roundoff;
      context = {
        inputs: inputShapes(this.#graph, node),
        output: shapeOf(this.#graph, value),
        roundoff: this.#roundoff,
        read: (input, pixel, begin, end) => this.#read(node.inputs[input], pixel, begin, end),
        param: (suffix) => this.#param(value + suffix),
        // Of the terms each partial sum, and each weight: that is stored, after it was scaled or multiplied out.
        sum: (result, terms, squares, variance) => ({
          value: result,
          variance: variance + squares * ((unit ** 2 * (terms + 2)) / 6 + (2 * stored ** 2) / 3),
        }),
      };
      this.#contexts.set(value, context);
    }
    return context;
  }

  #param(name: string): Float32Array {
    let data = this.#params.get(name);
    if (!data) this.#params.set(name, (data = this.#weights.get(name).data));
    return data;
  }
}

/** Of one rounding, which is off by anything up to `unit`. */
function roundingVariance(value: number, unit: number): number {
  return (value * unit) ** 2 / 3;
}

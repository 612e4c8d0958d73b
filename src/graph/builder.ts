/** Writes a graph down in the order of the network; every method appends one node and returns its name. */
import type { ImageShape } from '../tensor/image-shape.ts';
import { BATCH_NORM_EPSILON } from '../ops/batch-norm.ts';
import type { Node, OpAttrs } from '../ops/node.ts';
import { defineGraph, type Graph } from './graph.ts';

/** For `GraphBuilder.conv2d`. Stride 1, no padding, one group and no bias unless given. */
export interface ConvOptions {
  readonly kernelSize: number;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
  readonly bias?: boolean;
}

/**
 * Writes a graph down in the order of the network. Every method appends one node, under a name that is the prefix of its parameters', and
 * returns that name, which others take as their input. What does not fit is an error of `build`.
 */
export class GraphBuilder {
  readonly #nodes: Node[] = [];

  /** Appends a node of any op. */
  node(name: string, attrs: OpAttrs, ...inputs: string[]): string {
    this.#nodes.push({ name, attrs, inputs });
    return name;
  }

  /** The input, `input`. Once, and first. */
  input(shape: ImageShape): string {
    return this.node('input', { op: 'input', shape });
  }

  /** A convolution. Parameters: `.weight` `[outChannels, C / groups, k, k]`, `.bias` `[outChannels]`. */
  conv2d(name: string, x: string, outChannels: number, options: ConvOptions): string {
    return this.node(name, { op: 'conv2d', outChannels, stride: 1, padding: 0, groups: 1, bias: false, ...options }, x);
  }

  /** BatchNorm as at inference. Parameters, `[C]` each: `.weight`, `.bias`, `.running_mean`, `.running_var`. */
  batchNorm(name: string, x: string): string {
    return this.node(name, { op: 'batch-norm', epsilon: BATCH_NORM_EPSILON }, x);
  }

  /** The larger one of 0 and each element. */
  relu(name: string, x: string): string {
    return this.node(name, { op: 'relu' }, x);
  }

  /** The sum of two values of the same shape. */
  add(name: string, a: string, b: string): string {
    return this.node(name, { op: 'add' }, a, b);
  }

  /** Maximum over windows of `kernelSize` squared. */
  maxPool(name: string, x: string, kernelSize: number, stride: number, padding = 0): string {
    return this.node(name, { op: 'max-pool', kernelSize, stride, padding }, x);
  }

  /** Mean over as many windows as the output has pixels, as torch's AdaptiveAvgPool2d. */
  avgPool(name: string, x: string, outputHeight: number, outputWidth: number): string {
    return this.node(name, { op: 'avg-pool', outputHeight, outputWidth }, x);
  }

  /** A matrix over all elements, in the order C, H, W. Parameters: `.weight` `[outFeatures, C H W]`, `.bias` `[outFeatures]`. */
  linear(name: string, x: string, outFeatures: number): string {
    return this.node(name, { op: 'linear', outFeatures, bias: true }, x);
  }

  /** The graph of what was appended; the last node is the output. @throws invalid-graph for shapes, names or inputs that do not fit */
  build(name: string): Graph {
    return defineGraph(name, this.#nodes);
  }
}

/** Writes a graph down in the order of the network; every method appends one node and returns its name. */
import type { ImageShape } from '../tensor/image-shape.ts';
import { BATCH_NORM_EPSILON } from '../ops/batch-norm.ts';
import type { Node, OpAttrs } from '../ops/node.ts';
import { defineGraph, type Graph } from './graph.ts';

export interface ConvOptions {
  readonly kernelSize: number;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
  readonly bias?: boolean;
}

export class GraphBuilder {
  readonly #nodes: Node[] = [];

  /** Appends a node of any op. */
  node(name: string, attrs: OpAttrs, ...inputs: string[]): string {
    this.#nodes.push({ name, attrs, inputs });
    return name;
  }

  input(shape: ImageShape): string {
    return this.node('input', { op: 'input', shape });
  }

  conv2d(name: string, x: string, outChannels: number, options: ConvOptions): string {
    return this.node(name, { op: 'conv2d', outChannels, stride: 1, padding: 0, groups: 1, bias: false, ...options }, x);
  }

  batchNorm(name: string, x: string): string {
    return this.node(name, { op: 'batch-norm', epsilon: BATCH_NORM_EPSILON }, x);
  }

  relu(name: string, x: string): string {
    return this.node(name, { op: 'relu' }, x);
  }

  add(name: string, a: string, b: string): string {
    return this.node(name, { op: 'add' }, a, b);
  }

  maxPool(name: string, x: string, kernelSize: number, stride: number, padding = 0): string {
    return this.node(name, { op: 'max-pool', kernelSize, stride, padding }, x);
  }

  avgPool(name: string, x: string, outputHeight: number, outputWidth: number): string {
    return this.node(name, { op: 'avg-pool', outputHeight, outputWidth }, x);
  }

  linear(name: string, x: string, outFeatures: number): string {
    return this.node(name, { op: 'linear', outFeatures, bias: true }, x);
  }

  /** @throws invalid-graph */
  build(name: string): Graph {
    return defineGraph(name, this.#nodes);
  }
}

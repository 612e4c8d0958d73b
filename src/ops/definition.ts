/** What an op says about itself; `ops.ts` is the table of them. */
import type { ImageShape } from '../tensor/image-shape.ts';

/** One parameter of an op: the suffix after the node's name (`.weight`) and its shape in PyTorch's order. */
export type Param = readonly [suffix: string, shape: readonly number[]];

/** What an op is. `inputs` are the shapes of the node's inputs; `where` names the node in messages. */
export interface OpDefinition<A> {
  /** Shape of the output. @throws invalid-graph if the inputs do not fit. */
  inferShape(attrs: A, inputs: readonly ImageShape[], where: string): ImageShape;
  /** Parameters it reads from the weights; none if absent. */
  params?(attrs: A, inputs: readonly ImageShape[]): Param[];
  /** Multiply-accumulates by the formula of the spec; 0 if absent (pooling, adds and copies are not counted). */
  macs?(attrs: A, inputs: readonly ImageShape[], output: ImageShape): number;
}

/** Sum of two values of one shape. */
import { invariant } from '../errors.ts';
import { sameImageShape } from '../tensor/image-shape.ts';
import type { Activation } from './activation.ts';

/** `a + b`, element by element. */
export function add(a: Activation, b: Activation): Activation {
  invariant(sameImageShape(a.shape, b.shape), 'reference add: the inputs differ in shape');
  return { shape: a.shape, data: a.data.map((value, at) => value + b.data[at]) };
}

/** `max(x, 0)`; NaN stays NaN. */
import type { Activation } from './activation.ts';

/** Element by element; shape unchanged. */
export function relu(x: Activation): Activation {
  // `Math.max` gives NaN for NaN, unlike `x > 0 ? x : 0`.
  return { shape: x.shape, data: x.data.map((value) => Math.max(value, 0)) };
}

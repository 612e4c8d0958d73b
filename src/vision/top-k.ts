/** From logits to the classes they speak for. */
import { CompConvError } from '../errors.ts';

/** One of the most likely classes of an image. */
export interface Classification {
  /** Of the class, from 0. */
  readonly index: number;
  /** The model's name for it, or `class 7` where it has none. */
  readonly label: string;
  /** Probability, by softmax over all classes. */
  readonly score: number;
}

/**
 * The `k` most likely classes of one image, best first, equal ones in the order of the classes; all of them if there
 * are fewer than `k`.
 * @param logits `[classes]`, before softmax
 * @throws invalid-argument if `k` is no positive integer, or a logit is NaN or infinite
 */
export function topK(logits: Float32Array, labels: readonly string[] | undefined, k: number): Classification[] {
  if (!Number.isInteger(k) || k < 1) {
    throw new CompConvError('invalid-argument', `topK: k must be a positive integer, got ${k}`);
  }
  const bad = logits.findIndex((x) => !Number.isFinite(x));
  if (bad !== -1) {
    throw new CompConvError(
      'invalid-argument',
      `topK: the logit of class ${bad} is ${logits[bad]}: the weights or the input hold NaN or infinity, ` +
        'or overflow float32',
    );
  }
  const max = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const exp = Float64Array.from(logits, (x) => Math.exp(x - max));
  const sum = exp.reduce((a, b) => a + b, 0);
  const order = Array.from(logits, (_, index) => index).sort((a, b) => logits[b] - logits[a] || a - b);
  return order
    .slice(0, k)
    .map((index) => ({ index, label: labels?.[index] ?? `class ${index}`, score: exp[index] / sum }));
}

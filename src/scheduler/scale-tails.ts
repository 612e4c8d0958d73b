/**
 * Pass: the depthwise tail of a 1x1 module is a scale per channel. Where only a concatenation reads it, the concatenation
 * reads the tail's input instead, a second time, and multiplies in its epilogue. No dispatch, and no tensor in between.
 */
import type { AffineTerm } from '../kernels/affine.ts';
import type { FusedOp, JoinAttrs } from '../kernels/fused-op.ts';
import type { KernelAttrs } from '../kernels/kernels.ts';
import { countReaders } from './readers.ts';

type Op = FusedOp<KernelAttrs>;

export function scaleTails(ops: readonly Op[]): Op[] {
  const readers = countReaders(ops);
  const tails = new Map(ops.filter((op) => isScale(op) && readers.get(op.name) === 1).map((op) => [op.name, op]));
  const scaled = new Set<string>();
  const result = ops.map((op) => {
    if (op.attrs.op !== 'channel-concat') return op;
    const { widths = op.inputShapes.map(({ c }) => c) } = op.attrs as JoinAttrs;
    const terms: AffineTerm[] = [];
    let { macs } = op;
    let begin = 0;
    const inputs: string[] = [];
    const inputShapes = op.inputs.map((value, i) => {
      const tail = tails.get(value);
      if (tail) {
        terms.push({ kind: 'scale', param: `${tail.source}.weight`, begin, count: widths[i], order: op.outputOrder });
        scaled.add(value);
        macs += tail.macs;
      }
      inputs.push(tail ? tail.inputs[0] : value);
      begin += widths[i];
      return tail ? tail.inputShapes[0] : op.inputShapes[i];
    });
    if (terms.length === 0) return op;
    return { ...op, attrs: { ...op.attrs, widths }, inputs, inputShapes, affine: [...terms, ...op.affine], macs };
  });
  return result.filter(({ name }) => !scaled.has(name));
}

/** A depthwise 1x1 convolution with nothing after it. */
function isScale({ attrs, affine, residual, relu }: Op): boolean {
  const isPointwise = attrs.op === 'depthwise-conv2d' && attrs.kernelSize === 1 && attrs.stride === 1 && attrs.padding === 0;
  return isPointwise && affine.length === 0 && residual === undefined && !relu;
}

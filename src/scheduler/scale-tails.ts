/**
 * Pass: the depthwise tail of a 1x1 module is a scale per channel. Where only a concatenation reads it, the concatenation
 * reads the tail's input instead, a second time, and multiplies in its epilogue. No dispatch, and no tensor in between.
 */
import { shuffledChannel } from '../tensor/channel-layout.ts';
import type { AffineTerm } from '../kernels/affine.ts';
import type { JoinAttrs } from '../kernels/fused-op.ts';
import { countReaders, isBare, type Op, type Program } from './program.ts';

export function scaleTails(program: Program): Program {
  const readers = countReaders(program);
  const tails = new Map(program.ops.filter((op) => isScale(op) && readers.get(op.name) === 1).map((op) => [op.name, op]));
  const scaled = new Set<string>();
  const ops = program.ops.map((op) => {
    if (op.attrs.op !== 'channel-concat') return op;
    const { widths = op.inputShapes.map(({ c }) => c), groups = 1 } = op.attrs as JoinAttrs;
    const terms: AffineTerm[] = [];
    let { macs } = op;
    let begin = 0;
    const inputs: string[] = [];
    const inputShapes = op.inputs.map((value, i) => {
      const tail = tails.get(value);
      if (tail) {
        const channels = Array.from({ length: widths[i] }, (_, j) => shuffledChannel(begin + j, op.output.c, groups));
        terms.push({ kind: 'scale', param: `${tail.source}.weight`, channels });
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
  return { ...program, ops: ops.filter(({ name }) => !scaled.has(name)) };
}

/** A depthwise 1x1 convolution with nothing after it. */
function isScale(op: Op): boolean {
  const { attrs } = op;
  const isPointwise = attrs.op === 'depthwise-conv2d' && attrs.kernelSize === 1 && attrs.stride === 1 && attrs.padding === 0;
  return isPointwise && isBare(op);
}

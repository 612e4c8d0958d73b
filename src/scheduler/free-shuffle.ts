/**
 * Pass: a channel shuffle right behind a concatenation is not carried out. The concatenation computes the shuffled value, which
 * stays in the order it was written in; whoever reads it takes that into account: convolutions and linear layers by
 * permuting their weights at load, slices by a table, pools not at all. `settleLayouts` sees to the others.
 */
import { countReaders, isBare, type Op, type Program } from './program.ts';

export function freeShuffle(program: Program): Program {
  const readers = countReaders(program);
  const ops = new Map<string, Op>();
  for (const op of program.ops) {
    const concat = op.attrs.op === 'channel-shuffle' ? ops.get(op.inputs[0]) : undefined;
    if (op.attrs.op === 'channel-shuffle' && concat?.attrs.op === 'channel-concat' && isBare(concat) && readers.get(concat.name) === 1) {
      const { attrs, inputs, inputShapes, source } = concat;
      ops.delete(concat.name);
      ops.set(op.name, { ...op, attrs: { ...attrs, groups: op.attrs.groups }, inputs, inputShapes, source });
    } else {
      ops.set(op.name, op);
    }
  }
  return { ...program, ops: [...ops.values()] };
}

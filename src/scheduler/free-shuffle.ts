/**
 * Pass: a channel shuffle right behind a concatenation is not carried out. The concatenation computes the shuffled value, which
 * stays in the order it was written in; whoever reads it takes that into account: convolutions and linear layers by
 * permuting their weights at load, slices by a table, pools not at all. `settleLayouts` sees to the others.
 *
 * A shuffle multiplies positions by its groups, modulo C - 1, where the last one stays. So two in a row are one, of the product
 * of their groups, as long as that divides C.
 */
import { countReaders, isBare, type Op, type Program } from './program.ts';

export function freeShuffle(program: Program): Program {
  const readers = countReaders(program);
  const ops = new Map<string, Op>();
  for (const op of program.ops) {
    const concat = ops.get(op.inputs[0]);
    const groups = concat && groupsBehind(concat, op);
    if (groups !== undefined && readers.get(concat!.name) === 1) {
      const { attrs, inputs, inputShapes, source } = concat!;
      ops.delete(concat!.name);
      ops.set(op.name, { ...op, attrs: { ...attrs, op: 'channel-concat', groups }, inputs, inputShapes, source });
    } else {
      ops.set(op.name, op);
    }
  }
  return { ...program, ops: [...ops.values()] };
}

/** The groups by which a concatenation's channels are shuffled after a shuffle of its value, too; undefined if that is no shuffle. */
function groupsBehind(concat: Op, { attrs, output }: Op): number | undefined {
  if (attrs.op !== 'channel-shuffle' || concat.attrs.op !== 'channel-concat' || !isBare(concat)) return undefined;
  const groups = (concat.attrs.groups ?? 1) * attrs.groups;
  return output.c % groups === 0 ? groups : undefined;
}

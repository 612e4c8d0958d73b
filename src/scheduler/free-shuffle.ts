/**
 * Pass: channel shuffles cost nothing. A shuffle right behind a concatenation is dropped; the value keeps the order it was
 * written in, and whoever reads it takes that into account: convolutions and linear layers by permuting their weights at
 * load, slices by arithmetic, pools not at all. A residual and what it is added to share one order.
 *
 * Assumes at first that every such shuffle can go. Where a reader needs the graph's own order, the shuffle that the value
 * comes from is kept, and everything is looked at again.
 */
import type { ChannelOrder } from '../tensor/channel-layout.ts';
import type { FusedOp } from '../kernels/fused-op.ts';
import type { KernelAttrs } from '../kernels/kernels.ts';
import { countReaders } from './readers.ts';

type Op = FusedOp<KernelAttrs>;

/** The order of a value, and the dropped shuffle that it comes from. */
interface Ordered {
  readonly order: ChannelOrder;
  readonly origin?: string;
}

const GRAPH_ORDER: Ordered = { order: 1 };

/** The same computation with as few shuffles as possible; `output` ends up in the graph's own order. */
export function freeShuffle(ops: readonly Op[], output: string): Op[] {
  const kept = new Set<string>();
  for (;;) {
    const { ordered, conflicts } = assignOrders(dropShuffles(ops, kept), output);
    if (conflicts.size === 0) return ordered;
    for (const shuffle of conflicts) kept.add(shuffle);
  }
}

/** Lets the concatenation in front of each shuffle compute the shuffle's value, in shuffled order, with its epilogue. */
function dropShuffles(ops: readonly Op[], kept: ReadonlySet<string>): Op[] {
  const readers = countReaders(ops);
  const result = new Map<string, Op>();
  for (const op of ops) {
    const concat = op.attrs.op === 'channel-shuffle' && !kept.has(op.name) ? result.get(op.inputs[0]) : undefined;
    const isPlain = concat?.affine.length === 0 && concat.residual === undefined && !concat.relu;
    if (op.attrs.op === 'channel-shuffle' && concat?.attrs.op === 'channel-concat' && isPlain && readers.get(concat.name) === 1) {
      const { attrs, inputs, inputShapes, source } = concat;
      result.delete(concat.name);
      result.set(op.name, { ...op, attrs, inputs, inputShapes, source, outputOrder: op.attrs.groups });
    } else {
      result.set(op.name, op);
    }
  }
  return [...result.values()];
}

/** Works out every value's order; `conflicts` are the dropped shuffles that somebody cannot do without. */
function assignOrders(ops: readonly Op[], output: string): { ordered: Op[]; conflicts: Set<string> } {
  const orders = new Map<string, Ordered>();
  const orderOf = (value: string) => orders.get(value) ?? GRAPH_ORDER;
  const conflicts = new Set<string>();
  const refuse = ({ origin }: Ordered) => {
    if (origin !== undefined) conflicts.add(origin);
  };

  const ordered = ops.map((op): Op => {
    const input = orderOf(op.inputs[0]);
    let own: Ordered = op.outputOrder === 1 ? GRAPH_ORDER : { order: op.outputOrder, origin: op.name };
    switch (op.attrs.op) {
      case 'linear':
      case 'channel-slice':
        break;
      case 'conv2d':
        if (op.attrs.groups > 1) refuse(input);
        break;
      case 'max-pool':
      case 'avg-pool':
      case 'pointwise':
        own = input;
        break;
      default:
        for (const value of op.inputs) refuse(orderOf(value));
    }
    if (op.residual !== undefined) {
      const residual = orderOf(op.residual);
      // A convolution can write in any order, by permuting its outputs.
      if (own.order === 1 && op.attrs.op === 'conv2d' && op.attrs.groups === 1) own = residual;
      if (own.order !== residual.order) {
        refuse(own);
        refuse(residual);
      }
    }
    orders.set(op.name, own);
    return { ...op, inputOrder: input.order, outputOrder: own.order };
  });
  refuse(orderOf(output));
  return { ordered, conflicts };
}

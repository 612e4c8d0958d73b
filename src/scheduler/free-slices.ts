/**
 * Pass: identity slices are copied by a dispatch that reads their input anyway, the module's primitive convolution, in
 * invocations of their own. No dispatch for a slice, but for one that is also a value of its own.
 */
import type { ChannelSliceAttrs } from '../ops/channel-slice.ts';
import type { FusedOp } from '../kernels/fused-op.ts';
import { fitCopies, mainValue } from '../kernels/store-runs.ts';
import { surroundings } from './settle-layouts.ts';
import type { Op, Program } from './program.ts';

export function freeSlices(program: Program): Program {
  const around = surroundings(program);
  const copied = new Set<string>();
  const ops = program.ops.map((op): Op => {
    if (op.attrs.op !== 'conv2d' || !op.stores || op.attrs.groups > 1) return op;
    const { stride } = op.attrs;
    const y = mainValue(op.stores);
    const raw = op.stores.find(({ value }) => value !== y)?.value;
    const slices = program.ops.filter((slice): slice is Op & FusedOp<ChannelSliceAttrs> => {
      const { attrs, output, stores, inputs } = slice;
      const isSame = attrs.op === 'channel-slice' && inputs[0] === op.inputs[0] && attrs.stride === stride;
      const isCopy = output.h === op.output.h && output.w === op.output.w && stores?.some(({ value }) => value === y) && stores.every(({ value }) => value !== slice.name);
      return isSame && !!isCopy && !copied.has(slice.name);
    });
    if (slices.length === 0 || !fitCopies(slices, y, raw, around)) return op;
    for (const { name } of slices) copied.add(name);
    return { ...op, copies: slices };
  });
  return { ...program, ops: ops.filter(({ name }) => !copied.has(name)) };
}

/**
 * Pass: a 3x3 module's last grow (its primitive, at depth 1) and its depthwise tail in one dispatch. The tail reads the
 * convolution's result as it is, before the module's epilogue; that value disappears.
 *
 * A tile's rim is computed twice, by its neighbours too. GPUs gain, since a dispatch that waits for another one costs them more
 * than that; software adapters, for which work is all that counts, do not. At 7x7 the rim is larger than the tile.
 */
import { canFollow } from '../kernels/conv2d-then-depthwise.ts';
import type { FusedOp } from '../kernels/fused-op.ts';
import type { Conv2dAttrs } from '../ops/conv2d.ts';
import type { DepthwiseConv2dAttrs } from '../ops/depthwise-conv2d.ts';
import { chained, countReaders, joins, type Decision, type Op, type Program } from './program.ts';

export function fuseTails(program: Program, decision: Decision): Program {
  if (decision.limits.isSoftware && !decision.isForced) return program;
  const ops = new Map(program.ops.map((op) => [op.name, op]));
  const readers = countReaders(program);
  for (const tail of program.ops) {
    if (tail.attrs.op !== 'depthwise-conv2d') continue;
    const first = ops.get(tail.inputs[0]);
    const fused = fusedTail(first, tail as FusedOp<DepthwiseConv2dAttrs>, readers);
    if (!first || !fused || !joins(decision, true, signatureOf(first, tail), [first.name, tail.name])) continue;
    ops.delete(tail.inputs[0]);
    ops.set(tail.name, fused);
  }
  return { ...program, ops: [...ops.values()] };
}

/** Both in one, if the tail is all that reads the convolution's own value and both store one run of the same other value. */
function fusedTail(
  first: Op | undefined,
  second: FusedOp<DepthwiseConv2dAttrs>,
  readers: ReadonlyMap<string, number>,
): Op | undefined {
  if (!first || !isConv(first) || first.residual !== undefined || first.copies) return undefined;
  if (readers.get(first.name) !== 1 || !canFollow(second)) return undefined;
  const runs = first.stores?.filter(({ value }) => value !== first.name) ?? [];
  const [run] = runs;
  const [tailRun] = second.stores ?? [];
  if (runs.length !== 1 || second.stores?.length !== 1) return undefined;
  if (run.value !== tailRun.value || run.finish !== tailRun.finish) return undefined;
  return chained({ op: 'conv2d-then-depthwise', first, second }, [run, tailRun]);
}

function signatureOf(first: Op, tail: Op): string {
  const { n, h, w, c } = first.inputShapes[0];
  const { kernelSize, stride } = first.attrs as Conv2dAttrs;
  return `tail ${n}x${h}x${w} ${c} ${first.output.c} ${tail.output.c} ${kernelSize}x${kernelSize} stride ${stride}`;
}

function isConv(op: Op): op is Op & FusedOp<Conv2dAttrs> {
  return op.attrs.op === 'conv2d' && op.attrs.groups === 1;
}

/** Who reads a value: what one reader sees, a pass may change behind it. */
import type { FusedOp } from '../kernels/fused-op.ts';

/** How many inputs and residuals each value is. */
export function countReaders(ops: readonly FusedOp[]): Map<string, number> {
  const readers = new Map<string, number>();
  for (const { inputs, residual } of ops) {
    for (const value of [...inputs, residual]) if (value !== undefined) readers.set(value, (readers.get(value) ?? 0) + 1);
  }
  return readers;
}

/**
 * The bytes that a dispatch must move, from the plan alone: every byte it needs counted once, read or written, padding lanes
 * included. Caches may be asked for the same byte many times over; what is counted here is the least a memory has to give.
 */
import { LANES } from '../src/tensor/channel-layout.ts';
import { valuesOf, type Dispatch } from '../src/kernels/kernel.ts';
import { valueBytes } from '../src/scheduler/memory.ts';
import type { Plan } from '../src/scheduler/plan.ts';

export interface DispatchBytes {
  /** Activations. */
  readonly readBytes: number;
  readonly writtenBytes: number;
  /** Weights and other constants. */
  readonly constantBytes: number;
  /** All of them. */
  readonly bytes: number;
}

/** Kernels that compute nothing: they only move channels. */
const MOVES: readonly string[] = ['channel-slice', 'channel-concat', 'channel-shuffle'];

/** How many dispatches of a plan only move channels. */
export function countMoves({ dispatches }: Plan): number {
  return dispatches.filter(({ kernel }) => MOVES.includes(kernel.name)).length;
}

/** Bytes of a dispatch of the plan. A value that it reads twice counts once. */
export function dispatchBytes(plan: Plan, dispatch: Dispatch): DispatchBytes {
  const { readBytes, writtenBytes } = dispatch.kernel.stores ? storedBytes(plan, dispatch) : wholeBytes(plan, dispatch);
  const constants = new Set(dispatch.buffers.flatMap((ref) => ('constant' in ref ? [ref.constant] : [])));
  const constantBytes = [...constants].reduce((sum, key) => sum + plan.constants.get(key)!.byteLength, 0);
  return { readBytes, writtenBytes, constantBytes, bytes: readBytes + writtenBytes + constantBytes };
}

type ActivationBytes = Pick<DispatchBytes, 'readBytes' | 'writtenBytes'>;

/** Of a kernel that reads and writes its values as a whole, but for a linear layer in several dispatches. */
function wholeBytes({ values, dtype }: Plan, dispatch: Dispatch): ActivationBytes {
  const { rangeVectors, outVectors } = dispatch.sizes;
  const writtenShare = rangeVectors === undefined ? 1 : rangeVectors / outVectors;
  const { read, written } = valuesOf(dispatch);
  const total = (names: readonly string[]) => [...new Set(names)].reduce((sum, name) => sum + valueBytes(values.get(name)!, dtype), 0);
  return { readBytes: total(read), writtenBytes: total(written) * writtenShare };
}

/** Of a kernel that ends in a store file: it writes some of a value's channels, and reads as many of a residual. */
function storedBytes({ values, dtype }: Plan, { kernel, sizes, overrides, buffers }: Dispatch): ActivationBytes {
  const valueOf = (binding: string) => {
    const ref = buffers[kernel.bindings.indexOf(binding)];
    return ref && 'value' in ref ? values.get(ref.value)! : undefined;
  };
  const [x, y] = [valueOf('x')!, valueOf('y')!];
  const vectorBytes = (value: typeof y) => {
    const { n, h, w } = value.shape;
    return valueBytes(value, dtype) / ((n * h * w * value.pitch) / LANES);
  };
  const sums = kernel.name === 'channel-slice' ? 0 : sizes.outVectors;
  const copies = overrides.COPIES ? sizes.copyVectors : 0;
  const finished = sums + (overrides.TAIL ? sizes.tailVectors : 0) + copies;
  const raw = (overrides.RAW ? sums : 0) + (overrides.RAW_COPIES ? copies : 0);

  // A convolution reads all channels, a depthwise one those that it has, a slice those that it copies.
  const isDepthwise = kernel.name.startsWith('depthwise');
  const inVectors = sums === 0 ? copies : isDepthwise ? Math.min(sums, sizes.inVectors) : sizes.inVectors;
  // Pixels between the windows of a large stride are skipped.
  const inPixels = x.shape.n * x.shape.h * x.shape.w;
  const touched = Math.min(inPixels, sizes.pixels * (sizes.kernelSize ?? 1) ** 2);
  const residual = overrides.RESIDUAL ? sizes.pixels * finished : 0;
  return {
    readBytes: touched * inVectors * vectorBytes(x) + residual * vectorBytes(valueOf('residual') ?? y),
    writtenBytes: sizes.pixels * (finished + raw) * vectorBytes(y),
  };
}

/**
 * Pass: values share buffers by lifetime. Whole buffers only: WebGPU forbids binding one buffer for reading and for
 * writing in one dispatch, whatever the ranges.
 *
 * Greedy by size: the largest values choose first, among equals those that live longest; each takes the first buffer that is
 * free for its whole lifetime. A buffer is as large as its first value, so none ever grows. Of whole buffers ResNet50 needs
 * at least 1.125 times its lower bound, 300 random orders say.
 */
import { invariant } from '../errors.ts';
import type { ChannelLayout } from '../tensor/channel-layout.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import { bytesPerElement, type Dtype } from '../tensor/dtype.ts';
import { valuesOf, type Dispatch } from '../kernels/kernel.ts';

export interface Memory {
  /** Size of each shared buffer. */
  readonly bufferBytes: readonly number[];
  /** Index of the buffer that holds a value. */
  readonly bufferOf: ReadonlyMap<string, number>;
  /** The most that is alive at any one dispatch: no assignment of this order can need less. */
  readonly lowerBoundBytes: number;
}

/** A value on the GPU. */
export interface PlannedValue {
  readonly shape: ImageShape;
  /** Channels per pixel, padding included. */
  readonly pitch: number;
  readonly layout: ChannelLayout;
}

/** Bytes of a value on the GPU, padding included. */
export function valueBytes({ shape: { n, h, w }, pitch }: Pick<PlannedValue, 'shape' | 'pitch'>, dtype: Dtype): number {
  return n * h * w * pitch * bytesPerElement(dtype);
}

/** Assigns buffers. `input` is alive from before the first dispatch, `wanted` until after the last. */
export function assignMemory(
  dispatches: readonly Dispatch[],
  planned: ReadonlyMap<string, PlannedValue>,
  input: string,
  wanted: Iterable<string>,
  dtype: Dtype,
): Memory {
  const lifetimes = new Map<string, { first: number; last: number }>([[input, { first: -1, last: -1 }]]);
  dispatches.forEach((dispatch, index) => {
    const { read, written } = valuesOf(dispatch);
    for (const name of [...read, ...written]) {
      const lifetime = lifetimes.get(name);
      if (lifetime) lifetime.last = index;
      else lifetimes.set(name, { first: index, last: index });
    }
  });
  for (const name of wanted) lifetimes.get(name)!.last = dispatches.length;

  const lifespan = ({ first, last }: { first: number; last: number }) => last - first;
  const values = [...lifetimes].map(([name, lifetime]) => {
    const bytes = valueBytes(planned.get(name)!, dtype);
    invariant(Number.isFinite(bytes), `the value ${name} has ${bytes} bytes`);
    return { name, ...lifetime, bytes };
  });
  const bufferBytes: number[] = [];
  const occupants: (typeof values)[] = [];
  const bufferOf = new Map<string, number>();
  for (const value of [...values].sort((a, b) => b.bytes - a.bytes || lifespan(b) - lifespan(a))) {
    let buffer = occupants.findIndex((others) => others.every((other) => value.last < other.first || other.last < value.first));
    if (buffer < 0) {
      buffer = occupants.push([]) - 1;
      bufferBytes.push(value.bytes);
    }
    occupants[buffer].push(value);
    bufferOf.set(value.name, buffer);
  }

  let lowerBoundBytes = 0;
  for (let index = -1; index <= dispatches.length; index++) {
    const alive = values.filter((value) => value.first <= index && index <= value.last);
    lowerBoundBytes = Math.max(lowerBoundBytes, alive.reduce((sum, { bytes }) => sum + bytes, 0));
  }
  return { bufferBytes, bufferOf, lowerBoundBytes };
}

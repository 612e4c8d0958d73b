/**
 * Pass: values share buffers by lifetime. Whole buffers only: WebGPU forbids binding one buffer for reading and for
 * writing in one dispatch, whatever the ranges.
 *
 * Greedy by size: the largest values choose first, each takes the first buffer that is free for its whole lifetime. A
 * buffer is as large as its first value, so none ever grows.
 */
import type { ChannelLayout } from '../tensor/channel-layout.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import { BYTES_PER_ELEMENT } from '../kernels/constants.ts';
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
export function valueBytes({ shape: { n, h, w }, pitch }: Pick<PlannedValue, 'shape' | 'pitch'>): number {
  return n * h * w * pitch * BYTES_PER_ELEMENT;
}

/** Assigns buffers. `input` is alive from before the first dispatch, `output` until after the last. */
export function assignMemory(
  dispatches: readonly Dispatch[],
  planned: ReadonlyMap<string, PlannedValue>,
  input: string,
  output: string,
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
  lifetimes.get(output)!.last = dispatches.length;

  const values = [...lifetimes].map(([name, lifetime]) => ({ name, ...lifetime, bytes: valueBytes(planned.get(name)!) }));
  const bufferBytes: number[] = [];
  const occupants: (typeof values)[] = [];
  const bufferOf = new Map<string, number>();
  for (const value of [...values].sort((a, b) => b.bytes - a.bytes || a.first - b.first)) {
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

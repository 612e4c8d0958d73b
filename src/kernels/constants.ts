/**
 * Packed constants: what a kernel's weight bindings hold, as a recipe over the network's parameters. A plan carries the
 * recipes; the runtime evaluates each one straight into mapped GPU memory.
 */
import { LANES, channelPitch } from '../tensor/channel-layout.ts';
import type { Weights } from '../weights/weights.ts';
import { evaluateAffine, type AffineTerm } from './affine.ts';

/** A recipe. `key` tells equal constants apart from different ones, across input sizes and batches. */
export interface Constant {
  readonly key: string;
  readonly byteLength: number;
  /** Names of the parameters it reads. */
  readonly params: readonly string[];
  /** Writes the packed values; `target` has `byteLength / 4` elements, all 0. */
  pack(weights: Weights, target: Float32Array): void;
}

export const BYTES_PER_ELEMENT = 4;
export const BYTES_PER_VECTOR = LANES * BYTES_PER_ELEMENT;

/** The shift of an epilogue that follows folded weights, padded to `vectors` vec4s; element `begin` first. */
export function biasConstant(name: string, terms: readonly AffineTerm[], channels: number, vectors: number, begin = 0): Constant {
  return {
    key: `${name} bias ${begin}+${vectors}`,
    byteLength: vectors * BYTES_PER_VECTOR,
    params: affineParams(terms),
    pack(weights, target) {
      const { shift } = evaluateAffine(terms, channels, weights);
      for (let i = 0; i < target.length && begin + i < channels; i++) target[i] = shift[begin + i];
    },
  };
}

/** Scale, then shift, of an epilogue whose op has no weights to fold into. */
export function affineConstant(name: string, terms: readonly AffineTerm[], channels: number): Constant {
  const pitch = channelPitch(channels);
  return {
    key: `${name} affine`,
    byteLength: 2 * pitch * BYTES_PER_ELEMENT,
    params: affineParams(terms),
    pack(weights, target) {
      const { scale, shift } = evaluateAffine(terms, channels, weights);
      target.set(scale, 0);
      target.set(shift, pitch);
    },
  };
}

export function affineParams(terms: readonly AffineTerm[]): string[] {
  return terms.flatMap((term) =>
    term.kind === 'bias'
      ? [term.param]
      : ['weight', 'bias', 'running_mean', 'running_var'].map((part) => `${term.node}.${part}`),
  );
}

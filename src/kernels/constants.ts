/**
 * Packed constants: what a kernel's weight bindings hold, as a recipe over the network's parameters. A plan carries the
 * recipes; the runtime evaluates each one on its way to GPU memory.
 */
import { LANES, type ChannelLayout } from '../tensor/channel-layout.ts';
import type { Dtype } from '../tensor/dtype.ts';
import type { Weights } from '../weights/weights.ts';
import { affineKey, affineParams, evaluateAffine } from './affine.ts';
import type { FusedOp } from './fused-op.ts';

/** A recipe. `key` tells equal constants apart from different ones, across all plans of a network. */
export interface Constant {
  readonly key: string;
  /** Of its elements: weights are stored as activations are, what an epilogue reads is always `f32`. */
  readonly dtype: Dtype;
  readonly byteLength: number;
  /** Size of the texture of RGBA texels that holds it, row by row; without, it is a buffer. */
  readonly texture?: { readonly width: number; readonly height: number };
  /** Names of the parameters it reads. */
  readonly params: readonly string[];
  /** Writes the packed values; `target` has as many elements, all 0. */
  pack(weights: Weights, target: Float32Array): void;
}

export const BYTES_PER_ELEMENT = 4;
export const BYTES_PER_VECTOR = LANES * BYTES_PER_ELEMENT;

/** The shift of an epilogue that follows folded weights, padded to `vectors` vec4s; channels in the graph's own order. */
export function biasConstant({ name, affine, output }: FusedOp, vectors: number): Constant {
  return {
    dtype: 'f32',
    key: `${name} bias ${vectors} ${affineKey(affine)}`,
    byteLength: vectors * BYTES_PER_VECTOR,
    params: affineParams(affine),
    pack: (weights, target) => target.set(evaluateAffine(affine, output.c, weights).shift),
  };
}

/** Scale, then shift, of an epilogue whose op has no weights to fold into; channels lie as `layout` says. */
export function affineConstant({ name, affine, output }: FusedOp, { key, pitch, lanes }: ChannelLayout): Constant {
  return {
    dtype: 'f32',
    key: `${name} affine ${key} ${affineKey(affine)}`,
    byteLength: 2 * pitch * BYTES_PER_ELEMENT,
    params: affineParams(affine),
    pack(weights, target) {
      const { scale, shift } = evaluateAffine(affine, output.c, weights);
      lanes.forEach((lane, c) => {
        target[lane] = scale[c];
        target[pitch + lane] = shift[c];
      });
    },
  };
}

/** Outputs packed together: their float32s fill one cache line of the target. */
const BLOCK = 16;

/**
 * Packs PyTorch's weights `[O, K]`, flattened inputs last: that of the range's output o and input k to `target[rows[k] + columns[o]]`.
 * In blocks of outputs, since a plain transposition of a large matrix would miss the cache at every element.
 */
export function packRows(
  data: Float32Array,
  target: Float32Array,
  layout: {
    /** Where each flattened input's row begins. */
    readonly rows: Uint32Array;
    /** Range of outputs. */
    readonly first: number;
    readonly outputs: number;
    /** Factor of each output, by its index in `data`. */
    readonly scale: Float64Array;
    /** Where in a row each output of the range lies. Default in their order. */
    readonly columns?: Uint32Array;
  },
): void {
  const { rows, first, outputs, scale, columns = Uint32Array.from({ length: outputs }, (_, o) => o) } = layout;
  const inputs = rows.length;
  for (let begin = 0; begin < outputs; begin += BLOCK) {
    const end = Math.min(begin + BLOCK, outputs);
    for (let k = 0; k < inputs; k++) {
      for (let o = begin; o < end; o++) {
        target[rows[k] + columns[o]] = data[(first + o) * inputs + k] * scale[first + o];
      }
    }
  }
}

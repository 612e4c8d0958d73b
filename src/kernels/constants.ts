/**
 * Packed constants: what a kernel's weight bindings hold, as a recipe over the network's parameters. A plan carries the
 * recipes; the runtime evaluates each one straight into mapped GPU memory.
 */
import { LANES, channelPitch, channelPosition } from '../tensor/channel-layout.ts';
import type { Weights } from '../weights/weights.ts';
import { evaluateAffine, type AffineTerm } from './affine.ts';
import type { FusedOp } from './fused-op.ts';

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

/** The shift of an epilogue that follows folded weights, padded to `vectors` vec4s. */
export function biasConstant(op: FusedOp, vectors: number): Constant {
  const { name, affine, outputOrder } = op;
  const channels = op.output.c;
  return {
    key: `${name} bias ${vectors} order ${outputOrder}`,
    byteLength: vectors * BYTES_PER_VECTOR,
    params: affineParams(affine),
    pack(weights, target) {
      const { shift } = evaluateAffine(affine, channels, weights);
      for (let c = 0; c < channels; c++) target[channelPosition(c, channels, outputOrder)] = shift[c];
    },
  };
}

/** Scale, then shift, of an epilogue whose op has no weights to fold into. */
export function affineConstant({ name, affine, output, outputOrder }: FusedOp): Constant {
  const channels = output.c;
  const pitch = channelPitch(channels);
  return {
    key: `${name} affine order ${outputOrder}`,
    byteLength: 2 * pitch * BYTES_PER_ELEMENT,
    params: affineParams(affine),
    pack(weights, target) {
      const { scale, shift } = evaluateAffine(affine, channels, weights);
      for (let c = 0; c < channels; c++) {
        const position = channelPosition(c, channels, outputOrder);
        target[position] = scale[c];
        target[pitch + position] = shift[c];
      }
    },
  };
}

/** Outputs packed together: their float32s fill one cache line of the target. */
const BLOCK = 16;

/**
 * Packs PyTorch's weights `[O, K]`, flattened inputs last, into rows of outputs: `target[rows[k] + shift(o)][o - first]`.
 * In blocks of outputs, since a plain transposition of a large matrix would miss the cache at every element.
 */
export function packRows(
  data: Float32Array,
  target: Float32Array,
  layout: {
    /** Row of each flattened input. */
    readonly rows: Uint32Array;
    /** Elements per row of the target. */
    readonly columns: number;
    /** Range of outputs. */
    readonly first: number;
    readonly outputs: number;
    /** Factor of each output, by its index in `data`. */
    readonly scale: Float64Array;
    /** Rows by which an output's inputs lie further down. Default 0. */
    readonly shift?: (output: number) => number;
    /** Column of each output of the range. Default its place in the range. */
    readonly column?: (output: number) => number;
  },
): void {
  const { rows, columns, first, outputs, scale, shift = () => 0, column = (o) => o - first } = layout;
  const inputs = rows.length;
  for (let begin = 0; begin < outputs; begin += BLOCK) {
    const end = Math.min(begin + BLOCK, outputs);
    for (let k = 0; k < inputs; k++) {
      for (let o = begin; o < end; o++) {
        const output = first + o;
        target[(rows[k] + shift(output)) * columns + column(output)] = data[output * inputs + k] * scale[output];
      }
    }
  }
}

export function affineParams(terms: readonly AffineTerm[]): string[] {
  return terms.flatMap((term) =>
    term.kind === 'batch-norm'
      ? ['weight', 'bias', 'running_mean', 'running_var'].map((part) => `${term.node}.${part}`)
      : [term.param],
  );
}

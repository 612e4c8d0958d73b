/** Weights of a convolution without groups as kernels read them from a buffer, and constants made of several. */
import { LANES } from '../tensor/channel-layout.ts';
import { bytesPerElement } from '../tensor/dtype.ts';
import type { Conv2dAttrs } from '../ops/conv2d.ts';
import { packRows, type Constant } from './constants.ts';
import type { FusedOp } from './fused-op.ts';
import type { Surroundings } from './kernel.ts';
import { ownMatrix } from './matrix.ts';
import { vectorsOf } from './store-runs.ts';
import type { StorePlan } from './stores.ts';

/** Rows `[k, k, 4 inVectors]` of `vectors` vec4s over output channels, scaled by `folded`. Inputs lie as the op's input does. */
export function plainWeights(op: FusedOp<Conv2dAttrs>, vectors: number, around: Surroundings, folded?: StorePlan): Constant {
  const matrix = op.matrix ?? ownMatrix(op.source);
  const [input] = op.inputs;
  const inPitch = vectorsOf(input, around) * LANES;
  const pitch = vectors * LANES;
  const taps = op.attrs.kernelSize ** 2;
  const { lanes } = around.layoutOf(input);
  const columns = around.layoutOf(op.name).lanes;
  const row = (tap: number, channel: number) => (tap * inPitch + lanes[channel]) * pitch;
  const rows = Uint32Array.from({ length: op.inputShapes[0].c * taps }, (_, i) => row(i % taps, Math.floor(i / taps)));
  const layouts = `${around.layoutOf(input).key} to ${folded?.foldedKey ?? around.layoutOf(op.name).key}`;
  return {
    key: `${op.name} weights ${matrix.key} ${taps}x${inPitch}x${pitch} ${layouts}`,
    dtype: around.dtype,
    byteLength: taps * inPitch * pitch * bytesPerElement(around.dtype),
    params: [...matrix.params, ...(folded?.foldedParams ?? [])],
    pack(weights, target) {
      const scale = folded?.folded(weights).scale ?? new Float64Array(op.output.c).fill(1);
      packRows(matrix.evaluate(weights), target, { rows, first: 0, outputs: op.output.c, scale, columns });
    },
  };
}

/** Constants of one element type as one, one behind the other. */
export function concatenated(constants: readonly Constant[]): Constant {
  const [{ dtype }] = constants;
  return {
    key: constants.map(({ key }) => key).join(' | '),
    dtype,
    byteLength: constants.reduce((sum, { byteLength }) => sum + byteLength, 0),
    params: constants.flatMap(({ params }) => params),
    pack(weights, target) {
      let begin = 0;
      for (const { byteLength, pack } of constants) {
        const end = begin + byteLength / bytesPerElement(dtype);
        pack(weights, target.subarray(begin, end));
        begin = end;
      }
    },
  };
}

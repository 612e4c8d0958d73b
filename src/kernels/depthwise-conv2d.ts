/**
 * Depthwise convolution of the first channels of its input; weights `[k, k, outVectors]` vec4. At stride 1, as all of
 * CompConv's tails are, an invocation computes four pixels of a row; at others one.
 */
import codeRow from '../../shaders/depthwise-conv2d-row.wgsl?raw';
import code from '../../shaders/depthwise-conv2d.wgsl?raw';
import { LANES } from '../tensor/channel-layout.ts';
import type { DepthwiseConv2dAttrs } from '../ops/depthwise-conv2d.ts';
import { BYTES_PER_VECTOR, type Constant } from './constants.ts';
import type { FusedOp } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type Lowered, type Surroundings } from './kernel.ts';
import { planStores, storingKernels, vectorsOf, type StorePlan } from './stores.ts';

const sizes = ['inHeight', 'inWidth', 'inVectors', 'outHeight', 'outWidth', 'outVectors', 'pixels', 'kernelSize', 'stride', 'padding'];
const general = storingKernels('depthwise-conv2d', code, sizes);
const rowOfFour = storingKernels('depthwise-conv2d-row', codeRow, [
  'inHeight', 'inWidth', 'inVectors', 'outHeight', 'outWidth', 'outVectors', 'pixels', 'rowTiles', 'invocations', 'kernelSize', 'stride', 'padding',
]);

export const depthwiseConv2dKernels: readonly Kernel[] = [general.one, general.parts, rowOfFour.one, rowOfFour.parts];

/** `x` and the result lie alike: lane for lane, as far as there are channels. */
export function lowerDepthwiseConv2d(op: FusedOp<DepthwiseConv2dAttrs>, around: Surroundings): Lowered {
  const { n, h, w } = op.output;
  const { kernelSize, stride, padding } = op.attrs;
  const [x] = op.inputShapes;
  const outVectors = vectorsOf(op.name, around);
  const stores = planStores(op, outVectors, around);
  const weights = weightConstant(op, stores, around);
  const rowTiles = Math.ceil(w / 4);
  const isRow = stride === 1;
  const sums = isRow ? n * h * rowTiles * outVectors : n * h * w * outVectors;
  const { total, sizes: storeSizes } = stores.invocations(sums);
  return {
    constants: [weights, stores.params],
    dispatches: [
      {
        label: op.name,
        kernel: (isRow ? rowOfFour : general)[stores.kind],
        overrides: stores.overrides,
        sizes: {
          inHeight: x.h,
          inWidth: x.w,
          inVectors: vectorsOf(op.inputs[0], around),
          outHeight: h,
          outWidth: w,
          outVectors,
          pixels: n * h * w,
          ...(isRow && { rowTiles, invocations: sums }),
          kernelSize,
          stride,
          padding,
          ...stores.sizes,
          ...storeSizes,
        },
        buffers: [{ value: op.inputs[0] }, { constant: weights.key }, ...stores.buffers],
        workgroups: linearWorkgroups(total, around.limits),
        macs: op.macs,
      },
    ],
  };
}

function weightConstant(op: FusedOp<DepthwiseConv2dAttrs>, stores: StorePlan, around: Surroundings): Constant {
  const { kernelSize: k } = op.attrs;
  const param = `${op.source}.weight`;
  const { pitch, lanes } = around.layoutOf(op.name);
  return {
    key: `${op.name} weights ${k}x${k} ${stores.foldedKey}`,
    byteLength: (k * k * pitch * BYTES_PER_VECTOR) / LANES,
    params: [param, ...stores.foldedParams],
    pack(weights, target) {
      const { data } = weights.get(param);
      const { scale } = stores.folded(weights);
      lanes.forEach((lane, c) => {
        for (let tap = 0; tap < k * k; tap++) target[tap * pitch + lane] = data[c * k * k + tap] * scale[c];
      });
    },
  };
}

/** A convolution and the 3x3 depthwise convolution of its result in one dispatch, which computes the rims of its tiles twice. */
import code from '../../shaders/conv2d-then-depthwise.wgsl?raw';
import { LANES, roundUp } from '../tensor/channel-layout.ts';
import type { DepthwiseConv2dAttrs } from '../ops/depthwise-conv2d.ts';
import { affineKey, affineParams, evaluateAffine } from './affine.ts';
import { BYTES_PER_VECTOR, type Constant } from './constants.ts';
import type { ConvThenDepthwiseAttrs, FusedOp } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type Lowered, type Surroundings } from './kernel.ts';
import { concatenated, plainWeights } from './plain-weights.ts';
import { vectorsOf } from './store-runs.ts';
import { planStores } from './stores.ts';
import { storingKernels } from './storing-kernels.ts';

/** Outputs of a workgroup: a square of pixels, vec4s of channels. */
const TILE = 8;
const VECTORS = 2;
const INVOCATIONS = 160;

export const convThenDepthwiseKernel: Kernel = {
  ...storingKernels('conv2d-then-depthwise', code, [
    'inHeight', 'inWidth', 'inVectors', 'outHeight', 'outWidth', 'outVectors', 'pixels', 'groups', 'rowTiles', 'columnTiles',
    'channelTiles', 'kernelSize', 'stride', 'padding', 'weightVectors', 'tailParams', 'tailRelu',
  ]).parts,
  name: 'conv2d-then-depthwise',
};

/** Whether the kernel takes this depthwise convolution. */
export function canFollow({ attrs: { kernelSize, stride, padding }, residual }: FusedOp<DepthwiseConv2dAttrs>): boolean {
  return kernelSize === 3 && stride === 1 && padding === 1 && residual === undefined;
}

export function lowerConvThenDepthwise(op: FusedOp<ConvThenDepthwiseAttrs>, around: Surroundings): Lowered {
  const { first, second } = op.attrs;
  const { kernelSize, stride, padding } = first.attrs;
  const { n, h, w } = first.output;
  const [x] = first.inputShapes;
  const outVectors = vectorsOf(first.name, around);
  const weightVectors = roundUp(outVectors, VECTORS);
  // To the store it is one result of which a run is stored twice; the kernel takes the second from the tail's sums.
  const stores = planStores({ ...first, stores: op.stores! }, weightVectors, around);
  const weights = plainWeights(first, weightVectors, around, stores);
  const params = concatenated([stores.params, tailParams(second, weightVectors)]);
  const [rowTiles, columnTiles, channelTiles] = [Math.ceil(w / TILE), Math.ceil(h / TILE), weightVectors / VECTORS];
  const groups = n * rowTiles * columnTiles * channelTiles;
  return {
    constants: [weights, params],
    dispatches: [
      {
        label: op.name,
        kernel: convThenDepthwiseKernel,
        overrides: stores.overrides,
        sizes: {
          inHeight: x.h,
          inWidth: x.w,
          inVectors: vectorsOf(first.inputs[0], around),
          outHeight: h,
          outWidth: w,
          outVectors,
          pixels: n * h * w,
          groups,
          rowTiles,
          columnTiles,
          channelTiles,
          kernelSize,
          stride,
          padding,
          weightVectors,
          tailParams: stores.params.byteLength / BYTES_PER_VECTOR,
          tailRelu: second.relu ? 1 : 0,
          ...stores.sizes,
          ...stores.invocations(0).sizes,
        },
        buffers: [{ value: first.inputs[0] }, { constant: weights.key }, { constant: params.key }, ...stores.buffers.slice(1)],
        workgroups: linearWorkgroups(groups * INVOCATIONS, around.limits, INVOCATIONS),
        macs: op.macs,
      },
    ],
  };
}

/** The filter `[3, 3, vectors]` vec4, then the shift, of the depthwise convolution. */
function tailParams({ name, source, affine, output }: FusedOp<DepthwiseConv2dAttrs>, vectors: number): Constant {
  const param = `${source}.weight`;
  const pitch = vectors * LANES;
  return {
    key: `${name} filter ${param} ${vectors} ${affineKey(affine)}`,
    dtype: 'f32',
    byteLength: 10 * vectors * BYTES_PER_VECTOR,
    params: [param, ...affineParams(affine)],
    pack(weights, target) {
      const { data } = weights.get(param);
      const { scale, shift } = evaluateAffine(affine, output.c, weights);
      for (let c = 0; c < output.c; c++) {
        for (let tap = 0; tap < 9; tap++) target[tap * pitch + c] = data[c * 9 + tap] * scale[c];
        target[9 * pitch + c] = shift[c];
      }
    },
  };
}

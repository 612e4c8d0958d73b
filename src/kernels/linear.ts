/**
 * Fully connected layer. Weights larger than one binding (VGG16's first has 411 MB, the default limit is 128 MiB) are
 * split by ranges of outputs, one dispatch each.
 */
import code from '../../shaders/linear.wgsl?raw';
import { CompConvError } from '../errors.ts';
import { LANES, channelVectors, type ChannelLayout } from '../tensor/channel-layout.ts';
import { bytesPerElement, type Dtype } from '../tensor/dtype.ts';
import type { LinearAttrs } from '../ops/linear.ts';
import { affineKey, affineParams, evaluateAffine } from './affine.ts';
import { biasConstant, packRows, type Constant } from './constants.ts';
import { residualOverride, residualRef } from './epilogue.ts';
import type { FusedOp } from './fused-op.ts';
import type { KernelCall, Kernel, Lowered, Surroundings } from './kernel.ts';

/** Output vec4s of one workgroup. */
const WORKGROUP_VECTORS = 8;

export const linearKernel: Kernel = {
  name: 'linear',
  code,
  bindings: ['x', 'weights', 'bias', 'residual', 'y'],
  written: 1,
  sizes: ['inVectors', 'outVectors', 'firstVector', 'rangeVectors', 'relu'],
};

/** `[N, H, W, C]` to `[N, 1, 1, outFeatures]`. @throws limit-exceeded if not even four outputs' weights fit a binding. */
export function lowerLinear(op: FusedOp<LinearAttrs>, around: Surroundings): Lowered {
  const { limits, dtype } = around;
  const [x] = op.inputShapes;
  const layout = around.layoutOf(op.inputs[0]);
  const inVectors = (x.h * x.w * layout.pitch) / LANES;
  const outVectors = channelVectors(op.output.c);
  const maxRange = Math.floor(limits.maxStorageBufferBindingSize / (inVectors * LANES * LANES * bytesPerElement(dtype)));
  if (maxRange < 1) {
    throw new CompConvError(
      'limit-exceeded',
      `${op.name}: four outputs need ${inVectors * LANES * LANES * bytesPerElement(dtype)} bytes of weights, but this adapter binds at most ` +
        `${limits.maxStorageBufferBindingSize}; use a smaller input`,
    );
  }
  // Equal ranges, so that the last dispatch is no straggler.
  const ranges = Math.ceil(outVectors / maxRange);
  const rangeSize = Math.ceil(outVectors / ranges);
  const constants: Constant[] = [];
  const dispatches: KernelCall[] = [];
  for (let firstVector = 0; firstVector < outVectors; firstVector += rangeSize) {
    const rangeVectors = Math.min(rangeSize, outVectors - firstVector);
    const weights = weightConstant(op, layout, dtype, firstVector, rangeVectors);
    const bias = biasConstant(op, outVectors);
    constants.push(weights, bias);
    dispatches.push({
      label: op.name,
      kernel: linearKernel,
      overrides: residualOverride(op),
      sizes: { inVectors, outVectors, firstVector, rangeVectors, relu: op.relu ? 1 : 0 },
      buffers: [{ value: op.inputs[0] }, { constant: weights.key }, { constant: bias.key }, residualRef(op), { value: op.name }],
      workgroups: [Math.ceil(rangeVectors / WORKGROUP_VECTORS), op.output.n, 1],
      macs: op.output.n * x.h * x.w * x.c * Math.min(rangeVectors * LANES, op.output.c - firstVector * LANES),
    });
  }
  return { constants, dispatches };
}

/** Weights `[4 inVectors, 4 rangeVectors]` from PyTorch's `[O, C H W]`; rows in the order of NHWC memory. */
function weightConstant(op: FusedOp<LinearAttrs>, layout: ChannelLayout, dtype: Dtype, firstVector: number, rangeVectors: number): Constant {
  const { h, w, c } = op.inputShapes[0];
  const param = `${op.source}.weight`;
  const { key, pitch, lanes } = layout;
  const columns = rangeVectors * LANES;
  const first = firstVector * LANES;
  const outputs = Math.min(columns, op.output.c - first);
  return {
    key: `${op.name} weights ${param} ${h}x${w} ${firstVector}+${rangeVectors} ${key} ${affineKey(op.affine)}`,
    dtype,
    byteLength: h * w * pitch * columns * bytesPerElement(dtype),
    params: [param, ...affineParams(op.affine)],
    pack(weights, target) {
      const { data } = weights.get(param);
      const { scale } = evaluateAffine(op.affine, op.output.c, weights);
      const pixels = h * w;
      const row = (pixel: number, channel: number) => (pixel * pitch + lanes[channel]) * columns;
      const rows = Uint32Array.from({ length: c * pixels }, (_, i) => row(i % pixels, Math.floor(i / pixels)));
      packRows(data, target, { rows, first, outputs, scale });
    },
  };
}

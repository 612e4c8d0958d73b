/**
 * Depthwise convolution of the first channels of its input; weights `[k, k, outVectors]` vec4. At stride 1, as all of
 * CompConv's tails are, an invocation computes four pixels of a row; at others one.
 */
import codeRow from '../../shaders/depthwise-conv2d-row.wgsl?raw';
import code from '../../shaders/depthwise-conv2d.wgsl?raw';
import { channelPitch, channelVectors } from '../tensor/channel-layout.ts';
import type { DepthwiseConv2dAttrs } from '../ops/depthwise-conv2d.ts';
import { evaluateAffine } from './affine.ts';
import { affineParams, biasConstant, BYTES_PER_ELEMENT, type Constant } from './constants.ts';
import { residualOverride, residualRef, vectorCount } from './epilogue.ts';
import type { FusedOp } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type KernelLimits, type Lowered } from './kernel.ts';

const bindings = ['x', 'weights', 'bias', 'residual', 'y'];

const general: Kernel = {
  name: 'depthwise-conv2d',
  code,
  bindings,
  sizes: [
    'inHeight', 'inWidth', 'inVectors', 'outHeight', 'outWidth', 'outVectors', 'outputs', 'kernelSize', 'stride',
    'padding', 'relu',
  ],
};

const rowOfFour: Kernel = {
  name: 'depthwise-conv2d-row',
  code: codeRow,
  bindings,
  sizes: [
    'inHeight', 'inWidth', 'inVectors', 'outHeight', 'outWidth', 'outVectors', 'rowTiles', 'invocations', 'kernelSize',
    'padding', 'relu',
  ],
};

export const depthwiseConv2dKernels: readonly Kernel[] = [general, rowOfFour];

export function lowerDepthwiseConv2d(op: FusedOp<DepthwiseConv2dAttrs>, limits: KernelLimits): Lowered {
  const { output } = op;
  const { kernelSize, stride, padding } = op.attrs;
  const [x] = op.inputShapes;
  const outVectors = channelVectors(output.c);
  const weights = weightConstant(op);
  const bias = biasConstant(op, outVectors);
  const shape = {
    inHeight: x.h,
    inWidth: x.w,
    inVectors: channelVectors(x.c),
    outHeight: output.h,
    outWidth: output.w,
    outVectors,
    kernelSize,
    padding,
    relu: op.relu ? 1 : 0,
  };
  const rowTiles = Math.ceil(output.w / 4);
  const invocations = stride === 1 ? output.n * output.h * rowTiles * outVectors : vectorCount(output);
  return {
    constants: [weights, bias],
    dispatches: [
      {
        label: op.name,
        kernel: stride === 1 ? rowOfFour : general,
        overrides: residualOverride(op),
        sizes: stride === 1 ? { ...shape, rowTiles, invocations } : { ...shape, stride, outputs: invocations },
        buffers: [{ value: op.inputs[0] }, { constant: weights.key }, { constant: bias.key }, residualRef(op), { value: op.name }],
        workgroups: linearWorkgroups(invocations, limits),
        macs: op.macs,
      },
    ],
  };
}

function weightConstant(op: FusedOp<DepthwiseConv2dAttrs>): Constant {
  const { kernelSize: k, channels } = op.attrs;
  const param = `${op.source}.weight`;
  const pitch = channelPitch(channels);
  return {
    key: `${op.name} weights ${k}x${k}`,
    byteLength: k * k * pitch * BYTES_PER_ELEMENT,
    params: [param, ...affineParams(op.affine)],
    pack(weights, target) {
      const { data } = weights.get(param);
      const { scale } = evaluateAffine(op.affine, channels, weights);
      for (let c = 0; c < channels; c++) {
        for (let tap = 0; tap < k * k; tap++) target[tap * pitch + c] = data[c * k * k + tap] * scale[c];
      }
    },
  };
}

/**
 * Depthwise convolution of the first channels of its input. At stride 1, as all of CompConv's tails are, an invocation
 * computes four pixels of a row, or 8 x 2 on software adapters; at others one, which works everywhere.
 */
import code8x2 from '../../shaders/depthwise-conv2d-8x2.wgsl?raw';
import codeRow from '../../shaders/depthwise-conv2d-row.wgsl?raw';
import code from '../../shaders/depthwise-conv2d.wgsl?raw';
import { LANES } from '../tensor/channel-layout.ts';
import { bytesPerElement } from '../tensor/dtype.ts';
import type { DepthwiseConv2dAttrs } from '../ops/depthwise-conv2d.ts';
import type { Constant } from './constants.ts';
import type { FusedOp } from './fused-op.ts';
import { linearWorkgroups, type Kernel, type Lowered, type Surroundings } from './kernel.ts';
import { describeStores, vectorsOf } from './store-runs.ts';
import { planStores, type StorePlan } from './stores.ts';
import { storingKernels, type StoringKernels } from './storing-kernels.ts';

const sizes = ['inHeight', 'inWidth', 'inVectors', 'outHeight', 'outWidth', 'outVectors', 'pixels', 'kernelSize', 'stride', 'padding'];
const general = storingKernels('depthwise-conv2d', code, sizes);
const rowOfFour = storingKernels('depthwise-conv2d-row', codeRow, [
  'inHeight', 'inWidth', 'inVectors', 'outHeight', 'outWidth', 'outVectors', 'pixels', 'rowTiles', 'invocations', 'kernelSize', 'stride', 'padding',
]);

const tileOf8x2 = storingKernels(
  'depthwise-conv2d-8x2',
  code8x2,
  [
    'inHeight', 'inWidth', 'inVectors', 'outHeight', 'outWidth', 'outVectors', 'pixels', 'rowTiles', 'rowPairs', 'invocations', 'kernelSize',
    'stride', 'padding',
  ],
  { textures: ['weights'] },
);

export const depthwiseConv2dKernels: readonly Kernel[] = [general, rowOfFour, tileOf8x2].flatMap(({ one, parts }) => [one, parts]);

/** `x` and the result lie alike: lane for lane, as far as there are channels. */
export function lowerDepthwiseConv2d(op: FusedOp<DepthwiseConv2dAttrs>, around: Surroundings): Lowered {
  const { n, h, w } = op.output;
  const { kernelSize, stride, padding } = op.attrs;
  const [x] = op.inputShapes;
  const outVectors = vectorsOf(op.name, around);
  const stores = planStores(op, outVectors, around);
  const candidates = candidatesFor(op, outVectors, around);
  const numbers = [n, kernelSize, stride, padding, vectorsOf(op.inputs[0], around), outVectors];
  const signature = `depthwise-conv2d ${around.dtype} ${x.h}x${x.w} ${numbers.join(' ')} ${describeStores(op)}`;
  const chosen = around.choices?.get(signature);
  const { kernels, tiling, sums } = candidates.find((candidate) => candidate.kernels.one.name === chosen) ?? candidates[0];
  const weights = weightConstant(op, kernels === tileOf8x2, stores, around);
  const { total, sizes: storeSizes } = stores.invocations(sums);
  return {
    constants: [weights, stores.params],
    dispatches: [
      {
        label: op.name,
        choice: { signature, candidates: candidates.map((candidate) => candidate.kernels.one.name) },
        kernel: kernels[stores.kind],
        overrides: stores.overrides,
        sizes: {
          inHeight: x.h,
          inWidth: x.w,
          inVectors: vectorsOf(op.inputs[0], around),
          outHeight: h,
          outWidth: w,
          outVectors,
          pixels: n * h * w,
          ...tiling,
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

/** A kernel that can do it. */
interface Candidate {
  readonly kernels: StoringKernels;
  /** Sizes that only it has. */
  readonly tiling: Readonly<Record<string, number>>;
  /** Invocations that sum. */
  readonly sums: number;
}

/** The kernels that can do it, the one that is expected to be the fastest first. */
function candidatesFor({ attrs, output }: FusedOp<DepthwiseConv2dAttrs>, outVectors: number, { limits }: Surroundings): Candidate[] {
  const { n, h, w } = output;
  const candidates: Candidate[] = [{ kernels: general, tiling: {}, sums: n * h * w * outVectors }];
  if (attrs.stride !== 1) return candidates;
  const rowsOfFour = { rowTiles: Math.ceil(w / 4), invocations: n * h * Math.ceil(w / 4) * outVectors };
  candidates.unshift({ kernels: rowOfFour, tiling: rowsOfFour, sums: rowsOfFour.invocations });
  const textureRows = (attrs.kernelSize + 2) * attrs.kernelSize;
  if (limits.hasQuads && Math.max(textureRows, outVectors) <= limits.maxTextureDimension2D) {
    const [rowTiles, rowPairs] = [Math.ceil(w / 8), Math.ceil(h / 2)];
    const invocations = n * rowPairs * rowTiles * outVectors;
    candidates.unshift({ kernels: tileOf8x2, tiling: { rowTiles, rowPairs, invocations }, sums: invocations });
  }
  return candidates;
}

/** Weights `[k, k, outVectors]` vec4; as a texture between two rows of zeros. */
function weightConstant(op: FusedOp<DepthwiseConv2dAttrs>, isTexture: boolean, stores: StorePlan, around: Surroundings): Constant {
  const { kernelSize: k } = op.attrs;
  const param = `${op.source}.weight`;
  const { pitch, lanes } = around.layoutOf(op.name);
  const rows = isTexture ? (k + 2) * k : k * k;
  const firstRow = isTexture ? k : 0;
  return {
    key: `${op.name} weights ${param} ${k}x${k} ${isTexture ? 'texture ' : ''}${stores.foldedKey}`,
    dtype: around.dtype,
    byteLength: rows * pitch * bytesPerElement(around.dtype),
    ...(isTexture && { texture: { width: pitch / LANES, height: rows } }),
    params: [param, ...stores.foldedParams],
    pack(weights, target) {
      const { data } = weights.get(param);
      const { scale } = stores.folded(weights);
      lanes.forEach((lane, c) => {
        for (let tap = 0; tap < k * k; tap++) target[(firstRow + tap) * pitch + lane] = data[c * k * k + tap] * scale[c];
      });
    },
  };
}

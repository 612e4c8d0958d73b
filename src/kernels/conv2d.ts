/**
 * Convolution with any kernel size, stride, padding and groups, by tiles of pixels x output channels.
 *
 * Groups whose channels fill whole vec4s are convolved on their own; others become a block-diagonal dense convolution.
 */
import { LANES, roundUp } from '../tensor/channel-layout.ts';
import { bytesPerElement } from '../tensor/dtype.ts';
import type { Conv2dAttrs } from '../ops/conv2d.ts';
import { packRows, type Constant } from './constants.ts';
import { countTiles, tilesFor, workgroupSizeOf, type ConvShape, type ConvTile } from './conv2d-tiles.ts';
import type { FusedOp } from './fused-op.ts';
import { linearWorkgroups, type Lowered, type Surroundings } from './kernel.ts';
import { ownMatrix } from './matrix.ts';
import { describeStores, vectorsOf } from './store-runs.ts';
import { planStores, type StorePlan } from './stores.ts';

/** Lowers a convolution to one dispatch. `x` `[N, H, W, C]` to `[N, OH, OW, outChannels]`. */
export function lowerConv2d(op: FusedOp<Conv2dAttrs>, around: Surroundings): Lowered {
  const { attrs, output } = op;
  const [x] = op.inputShapes;
  const groupIn = x.c / attrs.groups;
  const groupOut = output.c / attrs.groups;
  const hasOwnGroups = attrs.groups > 1 && groupIn % LANES === 0 && groupOut % LANES === 0;
  const inVectors = vectorsOf(op.inputs[0], around);
  const outVectors = vectorsOf(op.name, around);
  const groupVectors = hasOwnGroups ? groupIn / LANES : inVectors;
  const groupOutVectors = hasOwnGroups ? groupOut / LANES : outVectors;
  const pixels = output.n * output.h * output.w;
  const { kernelSize, stride, padding } = attrs;
  const isPointwise = kernelSize === 1 && stride === 1 && padding === 0;
  const conv: ConvShape = { pixels, kernelSize, stride, padding, groupVectors, groupOutVectors, outVectors, hasOwnGroups };
  const { outputs: sparse = 0, inputs: zeros = 0 } = op.zeroBlock ?? {};
  const numbers = [...Object.values(conv).map(Number), sparse, zeros];
  const signature = `conv2d ${around.dtype} ${x.h}x${x.w} ${numbers.join(' ')} ${describeStores(op)}`;
  const candidates = tilesFor(conv, around.limits);
  const chosen = around.choices?.get(signature);
  const tile = candidates.find(({ name }) => name === chosen) ?? candidates[0];
  const weightVectors = roundUp(outVectors, tile.vectors);
  const counts = countTiles(tile, conv);
  const workgroupSize = workgroupSizeOf(tile, counts.tiles);
  const stores = planStores(op, weightVectors, around);
  const { total, sizes: storeSizes } = stores.invocations(counts.tiles * tile.invocations, workgroupSize);
  const weights = weightConstant(op, tile, { groupVectors, weightVectors, hasOwnGroups }, stores, around);
  return {
    constants: [weights, stores.params],
    dispatches: [
      {
        label: op.name,
        choice: { signature, candidates: candidates.map(({ name }) => name) },
        kernel: tile.kernels[stores.kind],
        overrides: {
          ...tile.overrides,
          ...(tile.hasQuads && { WORKGROUP: workgroupSize }),
          ...stores.overrides,
PADDED: padding > 0 ? 1 : 0,
          POINTWISE: isPointwise ? 1 : 0,
        },
        sizes: {
          inHeight: x.h,
          inWidth: x.w,
          inVectors,
          outHeight: output.h,
          outWidth: output.w,
          outVectors,
          pixels,
          ...counts,
          kernelSize,
          stride,
          padding,
          ...(hasOwnGroups
            ? { runs: kernelSize, runVectors: groupVectors }
            : { runs: 1, runVectors: kernelSize * groupVectors }),
          groupVectors,
          groupOutVectors,
          weightVectors,
          sparseVectors: sparse,
          zeroVectors: zeros,
          ...stores.sizes,
          ...storeSizes,
        },
        buffers: [{ value: op.inputs[0] }, { constant: weights.key }, ...stores.buffers],
        workgroups: linearWorkgroups(total, around.limits, workgroupSize),
        macs: op.macs,
      },
    ],
  };
}

/** The weights as the tile's kernel reads them, from PyTorch's OIHW, scaled by the BatchNorm that follows. */
function weightConstant(
  op: FusedOp<Conv2dAttrs>,
  tile: ConvTile,
  layout: { groupVectors: number; weightVectors: number; hasOwnGroups: boolean },
  stores: StorePlan,
  around: Surroundings,
): Constant {
  const { kernelSize: k, groups } = op.attrs;
  const { groupVectors, weightVectors, hasOwnGroups } = layout;
  const matrix = op.matrix ?? ownMatrix(op.source);
  const inChannels = op.inputShapes[0].c / groups;
  const outChannels = op.output.c;
  const inLayout = around.layoutOf(op.inputs[0]);
  const outLanes = around.layoutOf(op.name).lanes;
  const isTexture = tile.hasTexture;
  // Where an input's row begins, and where an output lies in it, in elements.
  const pitch = weightVectors * LANES;
  const row = (input: number) =>
    isTexture ? Math.floor(input / LANES) * LANES * pitch + (input % LANES) * tile.vectors * LANES : input * pitch;
  const column = (lane: number) => {
    const vector = Math.floor(lane / LANES);
    const inTile = vector % tile.vectors;
    return isTexture ? ((vector - inTile) * LANES + inTile) * LANES + (lane % LANES) : lane;
  };
  return {
    key: `${op.name} weights ${matrix.key} for ${tile.kernels.one.name} ${k}x${k}x${groupVectors}x${weightVectors} ${inLayout.key} to ${stores.foldedKey}`,
    dtype: around.dtype,
    byteLength: k * k * groupVectors * LANES * weightVectors * LANES * bytesPerElement(around.dtype),
    ...(isTexture && { texture: { width: pitch, height: k * k * groupVectors } }),
    params: [...matrix.params, ...stores.foldedParams],
    pack(weights, target) {
      const data = matrix.evaluate(weights);
      const { scale } = stores.folded(weights);
      const columns = outLanes.map(column);
      const taps = k * k;
      const outputs = outChannels / groups;
      const input = (tap: number, channel: number) => tap * groupVectors * LANES + inLayout.lanes[channel];
      for (let group = 0; group < groups; group++) {
        // Convolved on its own, a group's channels lie as those of the first one do: in the graph's own order.
        const begin = hasOwnGroups ? 0 : group * inChannels;
        const rows = Uint32Array.from({ length: inChannels * taps }, (_, i) => row(input(i % taps, begin + Math.floor(i / taps))));
        const first = group * outputs;
        packRows(data, target, { rows, first, outputs, scale, columns: columns.subarray(first, first + outputs) });
      }
    },
  };
}

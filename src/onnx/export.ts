/**
 * The package's second entry, `compconv-webgpu/onnx`: networks as files of ONNX, which other runtimes run. Apart from
 * `index.ts`, so that only those who export load it.
 */
import type { Graph } from '../graph/graph.ts';
import type { Weights } from '../weights/weights.ts';
import { foldedNetwork } from './fold-batch-norms.ts';
import { encodeModel } from './model.ts';
import { onnxModel } from './nodes.ts';

/** For `exportOnnx`. */
export interface OnnxExportOptions {
  /** Kept in the file for whoever reads it, such as `labels`; runtimes ignore it. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Called after each tensor is written. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

/**
 * A network as the bytes of an ONNX model (opset 17), plain or with CompConv, which becomes plain operators. `input` is
 * `[N, C, H, W]`, `output` `[N, classes]`, both of the graph's own sizes: `withInputShape` gives it others. Nodes have the
 * names of the layers. BatchNorms are folded into the weights, so that constants are not the checkpoint's.
 *
 * The bytes are allocated once; beside them only one tensor at a time is computed.
 * @throws invalid-weights if they do not fit the graph; limit-exceeded from 2 GiB; out-of-memory
 */
export function exportOnnx(graph: Graph, weights: Weights, { metadata, onProgress }: OnnxExportOptions = {}): Uint8Array<ArrayBuffer> {
  return encodeModel(onnxModel(foldedNetwork(graph, weights), metadata), onProgress);
}

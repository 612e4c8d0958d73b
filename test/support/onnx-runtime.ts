/** Runs ONNX models by onnxruntime-web's WebAssembly backend, in Node: a reader of the format that knows nothing of this engine. */
import * as ort from 'onnxruntime-web/wasm';
import type { Tensor } from '../../src/tensor/tensor.ts';

ort.env.wasm.numThreads = 1;

/** The model's one output for its one input. The model is read, run and forgotten. */
export async function runOnnx(bytes: Uint8Array, input: Tensor): Promise<Tensor> {
  const session = await ort.InferenceSession.create(bytes, { graphOptimizationLevel: 'all' });
  try {
    const results = await session.run({ input: new ort.Tensor('float32', input.data, input.shape) });
    const { dims, data } = results['output'];
    return { shape: dims, data: data as Float32Array };
  } finally {
    await session.release();
  }
}

/**
 * An onnxruntime session with its one input and output: on the host, or in buffers on its device that stay. Each is run once
 * before it is given out, so that what does not work fails here.
 */
import type { InferenceSession } from 'onnxruntime-web';
import { describeAdapter } from '../../src/runtime/adapter-info.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import type { Ort } from './ort-library.ts';
import type { PeerLoad } from './peer.ts';

export interface OrtSession {
  readonly load: Omit<PeerLoad, 'exportMs'>;
  run(input: Tensor): Promise<Tensor>;
  /** Frees the session. */
  release(): Promise<void>;
  /** Where the device is known. */
  readonly adapter?: string;
}

type Options = InferenceSession.SessionOptions;

/** Input and output on the host. @param onnx the model. @param first what to run once */
export async function createHostSession(ort: Ort, onnx: Uint8Array, options: Options, first: Tensor): Promise<OrtSession> {
  const start = performance.now();
  const session = await ort.InferenceSession.create(onnx, options);
  const run = async ({ shape, data }: Tensor): Promise<Tensor> => {
    const results = await session.run({ [session.inputNames[0]]: new ort.Tensor('float32', data, shape) });
    const logits = results[session.outputNames[0]];
    return { shape: logits.dims, data: logits.data as Float32Array };
  };
  return runOnce({ run, release: () => session.release() }, first, start);
}

/**
 * Input and output on the GPU. The output's buffer is the session's own: of one handed to it, a session that captures (1.30)
 * remembers an address that it frees after each run.
 * @param graphCapture whether the commands of a run are kept and replayed
 */
export async function createGpuSession(ort: Ort, onnx: Uint8Array, options: Options, first: Tensor, graphCapture: boolean): Promise<OrtSession> {
  const start = performance.now();
  const session = await ort.InferenceSession.create(onnx, { ...options, enableGraphCapture: graphCapture, preferredOutputLocation: 'gpu-buffer' });
  const device = await ort.env.webgpu.device;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const input = device.createBuffer({ size: first.data.byteLength, usage });
  const feeds = { [session.inputNames[0]]: ort.Tensor.fromGpuBuffer(input, { dataType: 'float32', dims: first.shape }) };
  let readable: GPUBuffer | undefined;

  const run = async ({ data }: Tensor): Promise<Tensor> => {
    device.queue.writeBuffer(input, 0, data as Float32Array<ArrayBuffer>);
    const logits = (await session.run(feeds))[session.outputNames[0]];
    const size = 4 * logits.size;
    readable ??= device.createBuffer({ size, usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ });
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(logits.gpuBuffer as GPUBuffer, 0, readable, 0, size);
    device.queue.submit([encoder.finish()]);
    const shape = logits.dims;
    logits.dispose();
    await readable.mapAsync(GPUMapMode.READ);
    const values = new Float32Array(readable.getMappedRange().slice(0));
    readable.unmap();
    return { shape, data: values };
  };
  const release = async () => {
    await session.release();
    input.destroy();
    readable?.destroy();
  };
  return runOnce({ run, release, adapter: describeAdapter(device.adapterInfo) }, first, start);
}

/** @param start when its creation began */
async function runOnce(session: Omit<OrtSession, 'load'>, first: Tensor, start: number): Promise<OrtSession> {
  const created = performance.now();
  try {
    await session.run(first);
    return { ...session, load: { createMs: created - start, firstRunMs: performance.now() - created } };
  } catch (cause) {
    // Why it did not run matters, not that it cannot be released either.
    await session.release().catch(() => {});
    throw cause;
  }
}

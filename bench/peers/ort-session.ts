/**
 * An onnxruntime session with its one input and output: on the host, or in buffers of its own device that stay, so that a
 * run uploads, infers and reads back and allocates nothing. Each is run once before it is given out, so that what does not
 * work fails here.
 */
import type { InferenceSession } from 'onnxruntime-web';
import { describeAdapter } from '../../src/runtime/adapter-info.ts';
import { elementCount, type Tensor } from '../../src/tensor/tensor.ts';
import type { Ort } from './ort-library.ts';

export interface OrtSession {
  run(input: Tensor): Promise<Tensor>;
  /** Frees the session. */
  release(): Promise<void>;
  /** Where the device is known. */
  readonly adapter?: string;
}

type Options = InferenceSession.SessionOptions;

/** Input and output on the host. @param onnx the model. @param first what to run once */
export async function createHostSession(ort: Ort, onnx: Uint8Array, options: Options, first: Tensor): Promise<OrtSession> {
  const session = await ort.InferenceSession.create(onnx, options);
  const run = async ({ shape, data }: Tensor): Promise<Tensor> => {
    const results = await session.run({ [session.inputNames[0]]: new ort.Tensor('float32', data, shape) });
    const logits = results[session.outputNames[0]];
    return { shape: logits.dims, data: logits.data as Float32Array };
  };
  return runOnce({ run, release: () => session.release() }, first);
}

/** Input and output in buffers on the GPU. @param graphCapture whether the commands of a run are kept and replayed */
export async function createGpuSession(ort: Ort, onnx: Uint8Array, options: Options, first: Tensor, graphCapture: boolean): Promise<OrtSession> {
  const session = await ort.InferenceSession.create(onnx, { ...options, enableGraphCapture: graphCapture, preferredOutputLocation: 'gpu-buffer' });
  const device = await ort.env.webgpu.device;
  const buffers: GPUBuffer[] = [];
  const createBuffer = (shape: readonly number[], usage: GPUBufferUsageFlags) => {
    const buffer = device.createBuffer({ size: 4 * elementCount(shape), usage });
    buffers.push(buffer);
    return buffer;
  };
  const onGpu = (shape: readonly number[]) => {
    const buffer = createBuffer(shape, GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST);
    return { buffer, tensor: ort.Tensor.fromGpuBuffer(buffer, { dataType: 'float32', dims: shape }) };
  };
  const [description] = session.outputMetadata;
  if (!description.isTensor) throw new Error(`the output ${description.name} is no tensor`);
  const shape = description.shape.map(Number);
  const input = onGpu(first.shape);
  const output = onGpu(shape);
  const readable = createBuffer(shape, GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ);
  const feeds = { [session.inputNames[0]]: input.tensor };
  const fetches = { [session.outputNames[0]]: output.tensor };

  const run = async ({ data }: Tensor): Promise<Tensor> => {
    device.queue.writeBuffer(input.buffer, 0, data as Float32Array<ArrayBuffer>);
    await session.run(feeds, fetches);
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(output.buffer, readable);
    device.queue.submit([encoder.finish()]);
    await readable.mapAsync(GPUMapMode.READ);
    const logits = new Float32Array(readable.getMappedRange().slice(0));
    readable.unmap();
    return { shape, data: logits };
  };
  const release = async () => {
    await session.release();
    for (const buffer of buffers) buffer.destroy();
  };
  return runOnce({ run, release, adapter: describeAdapter(device.adapterInfo) }, first);
}

async function runOnce(session: OrtSession, first: Tensor): Promise<OrtSession> {
  try {
    await session.run(first);
    return session;
  } catch (cause) {
    await session.release();
    throw cause;
  }
}

/** Tensors in the caller's buffers: packed into a network's input and unpacked from any layout, exactly, on awkward shapes. */
import { afterEach, beforeAll, describe, expect, it, test } from 'vitest';
import { checkGpuTensor, type GpuTensorInput } from '../../src/runtime/gpu-tensor.ts';
import { createInputTransfer, createOutputTransfer, type Activation } from '../../src/runtime/gpu-transfer.ts';
import { fromStored, packActivation, toStored, unpackActivation } from '../../src/runtime/layout.ts';
import { PacedQueue, type Stage } from '../../src/runtime/paced-queue.ts';
import { PipelineCache } from '../../src/runtime/pipelines.ts';
import { valueBytes } from '../../src/scheduler/memory.ts';
import { plainLayout, segmentedLayout, type ChannelLayout } from '../../src/tensor/channel-layout.ts';
import { dtypes, type Dtype } from '../../src/tensor/dtype.ts';
import type { ImageShape } from '../../src/tensor/image-shape.ts';
import { f16ToF32, f32ToF16 } from '../../src/weights/half.ts';
import { useGpu } from '../support/gpu.ts';
import { distinctValues } from '../support/random.ts';

const gpu = useGpu();
let pipelines: Readonly<Record<Dtype, PipelineCache>>;
const buffers: GPUBuffer[] = [];

beforeAll(() => {
  const { device } = gpu.engine;
  pipelines = { f32: new PipelineCache(device, 'f32'), f16: new PipelineCache(device, 'f16') };
});
afterEach(() => {
  for (const buffer of buffers.splice(0)) buffer.destroy();
});

const SHAPES: ImageShape[] = [
  { n: 1, h: 7, w: 9, c: 3 },
  { n: 3, h: 5, w: 3, c: 5 },
  { n: 2, h: 1, w: 13, c: 19 },
  { n: 3, h: 4, w: 5, c: 37 },
  { n: 2, h: 3, w: 3, c: 147 },
  { n: 3, h: 1, w: 1, c: 10 },
  { n: 1, h: 65, w: 33, c: 1 },
];
const nameOf = ({ n, h, w, c }: ImageShape) => `[${n}, ${c}, ${h}, ${w}]`;
/** SwiftShader here may have no f16: then there is nothing of it to test. */
const dtypesHere = () => dtypes.filter((dtype) => dtype === 'f32' || gpu.hasF16);
/** What a store and a load leave of values. */
const stored = (values: Float32Array, dtype: Dtype) => (dtype === 'f16' ? f16ToF32(f32ToF16(values as Float32Array<ArrayBuffer>)) : values);

function bufferOf(data: Float32Array | Uint16Array, usage = GPUBufferUsage.STORAGE): GPUBuffer {
  const size = Math.ceil(data.byteLength / 4) * 4;
  const buffer = gpu.engine.device.createBuffer({ size, usage: usage | GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC });
  gpu.engine.device.queue.writeBuffer(buffer, 0, data as Uint16Array<ArrayBuffer>);
  buffers.push(buffer);
  return buffer;
}

/** Runs a stage as a session would and downloads a buffer; all bits of it were set before if `cleared`. */
async function run(stage: Stage, buffer: GPUBuffer): Promise<ArrayBuffer> {
  const { device } = gpu.engine;
  const readback = device.createBuffer({ size: buffer.size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  buffers.push(readback);
  const { value } = await new PacedQueue(device).run({
    name: 'transfer',
    stages: [stage],
    encodeAfter: (encoder) => encoder.copyBufferToBuffer(buffer, 0, readback, 0, buffer.size),
    read: async () => {
      await readback.mapAsync(GPUMapMode.READ);
      return readback.getMappedRange().slice(0);
    },
  });
  return value;
}

/** An activation full of NaN: all bits set, in f32 and f16 alike. Longer than its value, as shared buffers are. */
function emptyActivation(shape: ImageShape, dtype: Dtype): Activation {
  const layout = plainLayout(shape.c);
  const value = { shape, layout, pitch: layout.pitch };
  return { value, dtype, buffer: bufferOf(new Uint16Array(valueBytes(value, dtype) / 2 + 64).fill(0xffff)) };
}

/** `[N, C, H, W]` to `[N, H, W, C]`. */
function toNhwc(data: Float32Array, { n, h, w, c }: ImageShape): Float32Array {
  const out = new Float32Array(data.length);
  data.forEach((value, i) => {
    const [pixel, channel, image] = [i % (h * w), Math.floor(i / (h * w)) % c, Math.floor(i / (h * w * c))];
    out[(image * h * w + pixel) * c + channel] = value;
  });
  expect(n * h * w * c).toBe(data.length);
  return out;
}

describe('packs into a network\'s input', () => {
  test.each(SHAPES.map((shape) => [nameOf(shape), shape] as const))('%s', async (_name, shape) => {
    const { n, h, w, c } = shape;
    const data = distinctValues(n * h * w * c, 1);
    for (const dtype of dtypesHere()) {
      for (const layout of ['nchw', 'nhwc'] as const) {
        // At the beginning, at an aligned offset, and at others; with something else in front and behind.
        for (const offset of [0, 4, 256, 516]) {
          const surrounded = new Float32Array(offset / 4 + data.length + 9).fill(NaN);
          surrounded.set(layout === 'nhwc' ? toNhwc(data, shape) : data, offset / 4);
          const tensor: GpuTensorInput = { shape: [n, c, h, w], buffer: bufferOf(surrounded), offset, layout };
          checkGpuTensor(tensor);
          const input = emptyActivation(shape, dtype);
          const transfer = await createInputTransfer(gpu.engine.device, pipelines[dtype], tensor, input);
          const bytes = await run(transfer, input.buffer);
          transfer.release();
          const expected = new Uint8Array(toStored(packActivation(data, shape), dtype).buffer);
          expect(Buffer.compare(new Uint8Array(bytes, 0, expected.length), expected)).toBe(0);
          // And nothing behind it.
          expect(new Uint8Array(bytes, expected.length).every((byte) => byte === 0xff)).toBe(true);
        }
      }
    }
  });
});

/** The graph's own order, and two segments whose channels are interleaved and backwards. */
function layoutsOf(channels: number): ChannelLayout[] {
  const all = Array.from({ length: channels }, (_, i) => i);
  const segments = [all.filter((i) => i % 3 === 1), all.filter((i) => i % 3 !== 1).reverse()].filter(({ length }) => length > 0);
  return [plainLayout(channels), segmentedLayout(segments)];
}

describe('unpacks a value of any layout', () => {
  test.each(SHAPES.map((shape) => [nameOf(shape), shape] as const))('%s', async (_name, shape) => {
    const { n, h, w, c } = shape;
    const data = distinctValues(n * h * w * c, 2);
    for (const dtype of dtypesHere()) {
      for (const layout of layoutsOf(c)) {
        // Padding must not be read: NaN.
        const packed = new Float32Array(n * h * w * layout.pitch).fill(NaN);
        data.forEach((value, i) => {
          const [pixel, channel, image] = [i % (h * w), Math.floor(i / (h * w)) % c, Math.floor(i / (h * w * c))];
          packed[(image * h * w + pixel) * layout.pitch + layout.lanes[channel]] = value;
        });
        const value = { shape, layout, pitch: layout.pitch };
        const activation = { value, dtype, buffer: bufferOf(toStored(packed, dtype)) };
        const { tensor, ...transfer } = await createOutputTransfer(gpu.engine.device, pipelines[dtype], activation);
        expect(tensor.shape).toEqual(h * w === 1 ? [n, c] : [n, c, h, w]);
        expect(tensor.buffer.size).toBe(data.length * 4);
        const actual = new Float32Array(await run(transfer, tensor.buffer));
        transfer.release();
        transfer.release();
        tensor.destroy();
        expect(actual).toEqual(stored(data, dtype));
        expect(unpackActivation(fromStored(toStored(packed, dtype).buffer, dtype), shape, layout)).toEqual({ shape: tensor.shape, data: actual });
      }
    }
  });
});

it('folds many workgroups into two dimensions', async () => {
  // 65536 workgroups of 64, one more than fit into one dimension.
  const shape = { n: 1, h: 2048, w: 2048, c: 1 };
  const data = Float32Array.from({ length: 2048 * 2048 }, (_, i) => i + 1);
  const input = emptyActivation(shape, 'f32');
  const { device } = gpu.engine;
  const pack = await createInputTransfer(device, pipelines.f32, { shape: [1, 1, 2048, 2048], buffer: bufferOf(data) }, input);
  const { tensor, ...unpack } = await createOutputTransfer(device, pipelines.f32, input);
  await new PacedQueue(device).run({ name: 'pack', stages: [pack], read: () => device.queue.onSubmittedWorkDone() });
  const actual = Buffer.from(await run(unpack, tensor.buffer));
  expect(Buffer.compare(actual, Buffer.from(data.buffer))).toBe(0);
  for (const transfer of [pack, unpack]) transfer.release();
  tensor.destroy();
});

it('an output is an input again', async () => {
  const shape = { n: 2, h: 3, w: 4, c: 5 };
  const data = distinctValues(2 * 5 * 3 * 4, 3);
  const layout = layoutsOf(5)[0];
  const source: Activation = { value: { shape, layout, pitch: layout.pitch }, dtype: 'f32', buffer: bufferOf(packActivation(data, shape)) };
  const target = emptyActivation(shape, 'f32');
  const { tensor, ...unpack } = await createOutputTransfer(gpu.engine.device, pipelines.f32, source);
  checkGpuTensor(tensor);
  const pack = await createInputTransfer(gpu.engine.device, pipelines.f32, tensor, target);
  await run(unpack, tensor.buffer);
  const packed = new Float32Array(await run(pack, target.buffer)).slice(0, 2 * 3 * 4 * 8);
  expect(packed).toEqual(packActivation(data, shape));
  for (const transfer of [pack, unpack]) transfer.release();
  tensor.destroy();
});

describe('what cannot be taken', () => {
  const shape = [1, 3, 2, 2];
  const cases: [string, () => unknown, RegExp][] = [
    ['an array', () => ({ shape, buffer: new Float32Array(12) }), /buffer must be a GPUBuffer, got \[object Float32Array\]; a tensor of the host/],
    ['no buffer', () => ({ shape, buffer: undefined }), /must be a GPUBuffer, got \[object Undefined\]/],
    ['an unknown layout', () => ({ shape, buffer: bufferOf(new Float32Array(12)), layout: 'chw' }), /layout must be "nchw" or "nhwc", got "chw"/],
    ['a fraction of a size', () => ({ shape: [1, 3, 2, 1.5], buffer: bufferOf(new Float32Array(12)) }), /non-negative integers, got \[1, 3, 2, 1.5\]/],
    ['no shape', () => ({ shape: 3, buffer: bufferOf(new Float32Array(12)) }), /non-negative integers, got 3/],
    ['another usage', () => ({ shape, buffer: bufferOf(new Float32Array(12), GPUBufferUsage.VERTEX) }), /create it with GPUBufferUsage.STORAGE/],
    ['an offset between floats', () => ({ shape, buffer: bufferOf(new Float32Array(16)), offset: 2 }), /multiple of 4 bytes, got 2/],
    ['a negative offset', () => ({ shape, buffer: bufferOf(new Float32Array(16)), offset: -4 }), /got -4/],
    ['too small a buffer', () => ({ shape, buffer: bufferOf(new Float32Array(11)) }), /is 48 bytes of float32, from 0 on; the buffer has 44/],
    ['too small a rest', () => ({ shape, buffer: bufferOf(new Float32Array(14)), offset: 12 }), /from 12 on; the buffer has 56/],
    [
      'a mapped buffer',
      () => {
        const buffer = gpu.engine.device.createBuffer({ size: 48, usage: GPUBufferUsage.STORAGE, mappedAtCreation: true });
        buffers.push(buffer);
        return { shape, buffer };
      },
      /the buffer is mapped: unmap\(\) it before/,
    ],
  ];
  it.each(cases)('%s', (_name, make, message) => {
    const input = make() as GpuTensorInput;
    let error: unknown;
    try {
      checkGpuTensor(input);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'invalid-argument', message: expect.stringMatching(message) });
  });

  it('more than one binding holds', async () => {
    const device = new Proxy(gpu.engine.device, {
      get: (target, key) => (key === 'limits' ? { maxStorageBufferBindingSize: 1000, maxBufferSize: 2000, minStorageBufferOffsetAlignment: 256 } : Reflect.get(target, key, target)),
    });
    const large = { n: 1, h: 16, w: 16, c: 1 };
    const message = expect.stringMatching(/\[1, 1, 16, 16\] on the GPU needs 1024 bytes in one binding, the device allows 1000/);
    const input = { shape: [1, 1, 16, 16], buffer: bufferOf(new Float32Array(256)) };
    await expect(createInputTransfer(device, pipelines.f32, input, emptyActivation(large, 'f32'))).rejects.toMatchObject({ code: 'limit-exceeded', message });
    await expect(createOutputTransfer(device, pipelines.f32, emptyActivation(large, 'f32'))).rejects.toMatchObject({ code: 'limit-exceeded', message });
  });
});

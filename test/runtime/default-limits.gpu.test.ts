/** Devices with no more than WebGPU's default limits: 128 MiB a binding, 8 storage buffers, 16 KiB of workgroup memory. */
import { beforeAll, describe, expect, test } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import { architectures, createNetwork, createSession, seededModel, type NetworkOptions } from '../../src/index.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import { DEFAULT_LIMITS, schedule } from '../../src/scheduler/schedule.ts';
import { dtypes } from '../../src/tensor/dtype.ts';
import { expectClose } from '../support/compare.ts';
import { distinctValues } from '../support/random.ts';
import { rounds } from '../support/rounds.ts';

const zoo: NetworkOptions[] = architectures.flatMap((arch) => [{ arch }, { arch, c0: arch === 'resnet_small14' ? 16 : 128 }]);
/** VGG16's first classifier layer has 411 MB of weights; a ResNet with CompConv has all kinds of kernels but that one. */
const FEW: NetworkOptions[] = [{ arch: 'vgg16' }, { arch: 'resnet50', c0: 128 }];
const nameOf = ({ arch, c0 }: NetworkOptions) => (c0 === undefined ? arch : `${arch}, C_0 = ${c0}`);

let adapters: () => Promise<GPUAdapter>;
beforeAll(async () => {
  const { gpu, describe } = await openNodeGpu();
  adapters = async () => (await gpu.requestAdapter())!;
  console.log(`adapter: ${describe}`);
});

describe('every network fits at its native size', () => {
  test.each(zoo.map((options) => [nameOf(options), options] as const))('%s', (_, options) => {
    const graph = createNetwork(options);
    for (const limits of [DEFAULT_LIMITS, { ...DEFAULT_LIMITS, isSoftware: true, hasQuads: true }]) {
      for (const dtype of dtypes) expect(schedule(graph, limits, { dtype }).dispatches.length).toBeGreaterThan(0);
    }
  });
});

describe('networks run at 32 x 32', () => {
  test.each(rounds(FEW, zoo).map((options) => [nameOf(options), options] as const))('%s', async (_, options) => {
    const device = await (await adapters()).requestDevice();
    expect(device.limits).toMatchObject({
      maxStorageBufferBindingSize: 128 * 2 ** 20,
      maxStorageBuffersPerShaderStage: 8,
      maxComputeWorkgroupStorageSize: 16 * 2 ** 10,
    });
    const model = seededModel(options, 1, { height: 32 });
    const channels = options.arch === 'resnet_small14' ? 1 : 3;
    const input = { shape: [1, channels, 32, 32], data: distinctValues(channels * 32 * 32, 1) };
    const session = await createSession(model, { device });
    try {
      const output = await session.run(input);
      const expected = toTensor(runReference(model.graph, model.weights, input).get(model.graph.output)!);
      expectClose(output.data, expected.data, { relativeL2: 1e-5 });
    } finally {
      session.dispose();
      device.destroy();
    }
  });
});

test('an image that does not fit is refused before anything runs', async () => {
  const device = await (await adapters()).requestDevice();
  const session = await createSession(seededModel({ arch: 'resnet_small14' }, 1), { device });
  try {
    const input = { shape: [1, 1, 4096, 4096], data: new Float32Array(4096 * 4096) };
    await expect(session.run(input)).rejects.toMatchObject({
      code: 'limit-exceeded',
      message: expect.stringMatching(/the value input needs 268435456 bytes, but this adapter binds at most 134217728; use a smaller batch or image/) as string,
    });
  } finally {
    session.dispose();
    device.destroy();
  }
});

/** VGG16's first classifier layer has 411 MB of weights: it runs on a device that binds at most 128 MiB. */
import { expect, test } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import { createSession, seededModel } from '../../src/index.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import { expectClose } from '../support/compare.ts';
import { distinctValues } from '../support/random.ts';

test('vgg16 32x32 on a device with default limits', async () => {
  const { adapter, describe } = await openNodeGpu();
  console.log(`adapter: ${describe}`);
  const device = await adapter.requestDevice();
  expect(device.limits.maxStorageBufferBindingSize).toBe(128 * 2 ** 20);
  const model = seededModel({ arch: 'vgg16' }, 1, { height: 32 });
  const input = { shape: [1, 3, 32, 32], data: distinctValues(3 * 32 * 32, 1) };
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

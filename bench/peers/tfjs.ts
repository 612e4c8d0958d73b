/**
 * TensorFlow.js on WebGPU. Its one good layout is NHWC. The network comes to it with BatchNorms folded and CompConvs
 * expanded, as a converter would give it.
 */
import type * as tfjs from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { fromTensor } from '../../src/reference/activation.ts';
import { describeAdapter } from '../../src/runtime/adapter-info.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { download } from './download.ts';
import { checkSetting, peerError, requireAdapter, type Peer, type PeerNetwork, type PeerRunner } from './peer.ts';
import { TfjsNetwork } from './tfjs-network.ts';
import type { Tf } from './tfjs-ops.ts';

/** @throws webgpu-unavailable, io */
export async function openTfjs(): Promise<Peer> {
  const library = 'TensorFlow.js, WebGPU';
  await requireAdapter(library);
  const { value: tf, ...times } = await download(library, async () => {
    const tf = await import('@tensorflow/tfjs-core');
    await import('@tensorflow/tfjs-backend-webgpu');
    if (!(await tf.setBackend('webgpu'))) throw new Error('its WebGPU backend does not start');
    return tf;
  });
  const title = `TensorFlow.js ${tf.version_core}, WebGPU`;
  const settings = ['NHWC'];
  const runners = new Set<PeerRunner>();
  return {
    name: 'tfjs',
    title,
    version: tf.version_core,
    ...times,
    settings,
    async create(setting, network) {
      checkSetting({ title, settings }, setting);
      const runner = await createRunner(tf, title, network);
      runners.add(runner);
      return { ...runner, dispose: async () => void (runners.delete(runner) && (await runner.dispose())) };
    },
    async dispose() {
      for (const runner of runners) await runner.dispose();
      const { device } = tf.backend() as WebGPUBackend;
      // Leaves the library as it was before its backend started.
      tf.engine().reset();
      device.destroy();
    },
  };
}

async function createRunner(tf: Tf, title: string, { graph, weights, input }: PeerNetwork): Promise<PeerRunner> {
  const prepared = toNhwc(input);
  const network = new TfjsNetwork(tf, graph, weights);
  const run = async (given: Tensor = input): Promise<Tensor> => {
    const { shape, data } = given === input ? prepared : toNhwc(given);
    const image = tf.tensor4d(data, shape);
    const logits = network.infer(image);
    image.dispose();
    try {
      return { shape: [logits.shape[0], logits.shape[3]], data: (await logits.data()) as Float32Array };
    } finally {
      logits.dispose();
    }
  };
  try {
    await run();
  } catch (cause) {
    network.dispose();
    throw peerError('invalid-graph', `${title}, ${graph.name}`, cause);
  }
  return {
    setting: 'NHWC',
    notes: [],
    adapter: describeAdapter((tf.backend() as WebGPUBackend).device.adapterInfo),
    run,
    dispose: async () => network.dispose(),
  };
}

/** `[N, C, H, W]` to `[N, H, W, C]`. */
function toNhwc(input: Tensor): { shape: [number, number, number, number]; data: Float32Array } {
  const { shape: { n, h, w, c }, data } = fromTensor(input);
  return { shape: [n, h, w, c], data: Float32Array.from(data) };
}

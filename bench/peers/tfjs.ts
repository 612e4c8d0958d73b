/**
 * TensorFlow.js on WebGPU. Its one good layout is NHWC. The network comes to it with BatchNorms folded and CompConvs
 * expanded, as a converter would give it.
 */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { foldedNetwork } from '../../src/onnx/fold-batch-norms.ts';
import { fromTensor } from '../../src/reference/activation.ts';
import { describeAdapter } from '../../src/runtime/adapter-info.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { download } from './download.ts';
import { definePeer, requireAdapter, type Peer, type PeerLoad, type PeerNetwork, type PeerRunner } from './peer.ts';
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
  return definePeer({
    name: 'tfjs',
    title,
    ...times,
    settings: ['NHWC'],
    create: (setting, network) => createRunner(tf, setting, network),
    close() {
      const { device } = tf.backend() as WebGPUBackend;
      // Leaves the library as it was before its backend started.
      tf.engine().reset();
      device.destroy();
    },
  });
}

async function createRunner(tf: Tf, setting: string, { graph, weights, input }: PeerNetwork): Promise<PeerRunner> {
  const prepared = toNhwc(input);
  const begin = performance.now();
  const made = new Map([...weights.shapes.keys()].map((name) => [name, weights.get(name)]));
  const start = performance.now();
  const network = new TfjsNetwork(tf, foldedNetwork(graph, { shapes: weights.shapes, get: (name) => made.get(name)! }));
  made.clear();
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
  let load: PeerLoad;
  try {
    await compile(tf, network, prepared);
    const createMs = performance.now() - start;
    await run();
    load = { exportMs: start - begin, createMs, firstRunMs: performance.now() - start - createMs };
  } catch (cause) {
    network.dispose();
    throw cause;
  }
  return {
    setting,
    notes: [],
    load,
    adapter: describeAdapter((tf.backend() as WebGPUBackend).device.adapterInfo),
    run,
    dispose: async () => network.dispose(),
  };
}

/** Compiles what a run needs side by side; by itself tfjs compiles one kernel after the other as they come. */
async function compile(tf: Tf, network: TfjsNetwork, { shape, data }: NhwcImage): Promise<void> {
  tf.env().set('WEBGPU_ENGINE_COMPILE_ONLY', true);
  try {
    tf.tidy(() => network.infer(tf.tensor4d(data, shape)));
    await (tf.backend() as WebGPUBackend).checkCompileCompletionAsync();
  } finally {
    tf.env().set('WEBGPU_ENGINE_COMPILE_ONLY', false);
  }
}

interface NhwcImage {
  readonly shape: [number, number, number, number];
  readonly data: Float32Array;
}

/** `[N, C, H, W]` to `[N, H, W, C]`. */
function toNhwc(input: Tensor): NhwcImage {
  const { shape: { n, h, w, c }, data } = fromTensor(input);
  return { shape: [n, h, w, c], data: Float32Array.from(data) };
}

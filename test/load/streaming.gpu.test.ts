/** A file that streams to the GPU is never in JavaScript's memory as a whole. */
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import { loadModel, seededModel, writeSafetensors, type NetworkOptions, type Tensor } from '../../src/index.ts';
import { rounds } from '../support/rounds.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Bytes of JavaScript's memory that are in use. */
function used(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** In the largest tensors: itself, what is packed of it, its way into a texture, and one more that has begun to come. */
const TENSORS = 4;
const networks: NetworkOptions[] = [{ arch: 'resnet50' }];

test.each(rounds(networks, [...networks, { arch: 'resnet50', c0: 128 }, { arch: 'resnet152' }]))(`%o: at most ${TENSORS} of its largest tensors`, async (network) => {
  const folder = await mkdtemp(join(tmpdir(), 'compconv-streaming-'));
  const path = join(folder, 'model.safetensors');
  const largest = await writeModel(path, network);
  const { size } = await stat(path);
  const server = createServer((_, response) => void createReadStream(path).pipe(response.setHeader('content-length', size))).listen(0);
  try {
    const { gpu, describe } = await openNodeGpu();
    // What was written is freed some time after its collection.
    let before = used();
    for (let last = Infinity; before < last - 1e5; before = used()) {
      last = before;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    let [most, next] = [0, 0];
    const session = await loadModel(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, {
      gpu,
      input: { height: 32 },
      onProgress({ phase, done }) {
        if (phase !== 'download' || done < next) return;
        next = done + size / 50;
        most = Math.max(most, used() - before);
      },
    });
    session.dispose();
    const mb = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;
    console.log(`${describe}: ${session.graph.name}, file ${mb(size)}: largest tensor ${mb(largest)}: JavaScript held ${mb(most)} at most`);
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThan(TENSORS * largest);
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
});

/** @returns bytes of the largest tensor */
async function writeModel(path: string, network: NetworkOptions): Promise<number> {
  const { weights } = seededModel(network, 1);
  const tensors = [...weights.shapes.keys()].map((name): [string, Tensor] => [name, weights.get(name)]);
  await writeFile(path, writeSafetensors(tensors, { compconv: JSON.stringify(network) }));
  return Math.max(...tensors.map(([, { data }]) => data.byteLength));
}

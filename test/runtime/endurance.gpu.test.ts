/** What Node holds after sessions came and went, and ran for long. */
import { openAsBlob } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { test } from 'vitest';
import { openNodeGpu } from '../../cli/node-adapter.ts';
import { rounds } from '../support/rounds.ts';
import { expectNoGrowth } from '../support/expect-no-growth.ts';
import { endure } from './endurance.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

async function usedHeap(): Promise<number> {
  // Finalizers run between collections.
  for (let i = 0; i < 3; i++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return process.memoryUsage().heapUsed;
}

test('nothing grows', async () => {
  const { gpu } = await openNodeGpu();
  const file = await openAsBlob('public/models/fashion-mnist-compconv.safetensors');
  expectNoGrowth(await endure({ gpu, file, loads: rounds(10, 100), runs: rounds(200, 10_000), usedHeap }));
});

/** A module worker that runs one peer: it says so when it is up, takes a task, and gives back plain data. */
import { seededInput } from '../../bench/entrant.ts';
import { openPeer } from '../../bench/peers/open-peer.ts';
import type { PeerName } from '../../bench/peers/peer.ts';
import { shapeOf } from '../../src/graph/graph.ts';
import { createPeerModel, type PeerModelName } from './peers-models.ts';

export interface PeerTask {
  readonly name: PeerName;
  /** Code to run before the peer is opened. */
  readonly before?: string;
  /** Default all. */
  readonly settings?: readonly string[];
  readonly models: readonly PeerModelName[];
  /** Seeds of the inputs to run, in turn; the network's own is that of seed 1. */
  readonly seeds: readonly number[];
}

export interface PeerOutcome {
  readonly title: string;
  readonly downloadMs: number;
  readonly downloadBytes?: number;
  readonly runs: readonly PeerRun[];
}

export interface PeerRun {
  readonly model: PeerModelName;
  readonly setting: string;
  readonly notes: readonly string[];
  readonly adapter?: string;
  readonly createMs: number;
  /** Shape, values and time of each input's logits. */
  readonly outputs: readonly { readonly shape: readonly number[]; readonly data: readonly number[]; readonly ms: number }[];
}

onmessage = async ({ data }: MessageEvent<PeerTask>) => {
  try {
    postMessage(await perform(data));
  } catch (error) {
    const { code, message } = error as Error & { code?: string };
    postMessage({ failure: { code, message } });
  }
};

async function perform({ name, before, settings, models, seeds }: PeerTask): Promise<PeerOutcome> {
  if (before) await (0, eval)(`(async () => {${before}})()`);
  const peer = await openPeer(name);
  const runs: PeerRun[] = [];
  for (const model of models) {
    const { graph, weights } = createPeerModel(model);
    const shape = shapeOf(graph, graph.input);
    const input = seededInput(shape, 1);
    for (const setting of settings ?? peer.settings) {
      const start = performance.now();
      const runner = await peer.create(setting, { graph, weights, input });
      const createMs = performance.now() - start;
      const outputs = [];
      for (const seed of seeds) {
        const start = performance.now();
        const logits = await runner.run(seed === 1 ? input : seededInput(shape, seed));
        outputs.push({ shape: logits.shape, data: [...logits.data], ms: performance.now() - start });
      }
      const { notes, adapter } = runner;
      runs.push({ model, setting: runner.setting, notes, ...(adapter !== undefined && { adapter }), createMs, outputs });
      await runner.dispose();
    }
  }
  const { title, downloadMs, downloadBytes } = peer;
  await peer.dispose();
  return { title, downloadMs, ...(downloadBytes !== undefined && { downloadBytes }), runs };
}

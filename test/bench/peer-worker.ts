/** Runs peers in a worker, as the benchmark page does: networks come in by their options, results go out as plain data. */
import { openPeer, type PeerName } from '../../bench/peers/peer.ts';
import { seededInput } from '../../bench/entrant.ts';
import { shapeOf } from '../../src/graph/graph.ts';
import { seededModel } from '../../src/models/load-model.ts';
import type { InputSize, NetworkOptions } from '../../src/models/network.ts';

export interface PeerTask {
  readonly name: PeerName;
  readonly networks: readonly { readonly options: NetworkOptions; readonly size: InputSize }[];
  readonly settings?: readonly string[];
  readonly runs: number;
}

onmessage = async ({ data: { name, networks, settings, runs } }: MessageEvent<PeerTask>) => {
  try {
    const peer = await openPeer(name);
    const results = [];
    for (const { options, size } of networks) {
      const { graph, weights } = seededModel(options, 1, size);
      const input = seededInput(shapeOf(graph, graph.input), 1);
      for (const setting of settings ?? peer.settings) {
        const t0 = performance.now();
        try {
          const runner = await peer.create(setting, { graph, weights, input });
          const createMs = performance.now() - t0;
          const outputs = []; const times = [];
          for (let i = 0; i < runs; i++) { const t = performance.now(); outputs.push([...(await runner.run()).data]); times.push(performance.now() - t); }
          const { setting: actual, notes, adapter } = runner;
          results.push({ network: graph.name, setting: actual, notes, adapter, outputs, times, createMs });
          await runner.dispose();
        } catch (error) { results.push({ network: graph.name, setting, error: (error as Error).message }); }
      }
    }
    const { title, version, downloadMs, downloadBytes } = peer;
    await peer.dispose();
    postMessage({ title, version, downloadMs, downloadBytes, results });
  } catch (error) {
    const { code, message, stack } = error as Error & { code?: string };
    postMessage({ error: { code, message, stack } });
  }
};

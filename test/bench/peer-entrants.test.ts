/** Other engines made up: what is compared, which setting is best, what does not work. */
import { expect, test } from 'vitest';
import type { Contestant } from '../../bench/contestant.ts';
import type { Entrant } from '../../bench/entrant.ts';
import { PeerEntrants } from '../../bench/peer-entrants.ts';
import type { Peer } from '../../bench/peers/peer.ts';
import type { Times } from '../../bench/report.ts';
import { only } from './sample-report.ts';

const LOGITS = { shape: [1, 2], data: Float32Array.of(3, 4) };

/** A network of ours, as far as other engines see it. */
function ours(label: string): Entrant {
  const network = { label, options: { arch: 'resnet18' }, baseline: 'plain' };
  return { label, network, model: { graph: { name: label } }, session: { dtype: 'f32' }, input: LOGITS, firstOutput: LOGITS, tolerance: 1e-5 } as never;
}

const ENTRANTS = [ours('plain'), ours('compact')];

/** An engine whose settings are off by so much; NaN refuses. */
function peer(settings: Readonly<Record<string, number>>, disposed: string[] = []): Peer {
  return {
    name: 'ort-web',
    title: 'Other 1.0',
    downloadMs: 7,
    downloadBytes: 99,
    settings: Object.keys(settings),
    async create(setting, { graph }) {
      if (Number.isNaN(settings[setting])) throw new Error('no such layout\n  at somewhere');
      const data = Float32Array.of(3, 4 + settings[setting]);
      return {
        setting: `${setting}, on the GPU`,
        notes: ['graph capture: refused'],
        load: { exportMs: 1, createMs: 5, firstRunMs: 3 },
        run: async () => ({ shape: [1, 2], data }),
        dispose: async () => void disposed.push(`${graph.name} ${setting}`),
      };
    },
    dispose: async () => void disposed.push('peer'),
  };
}

const times = (ms: number): Times => ({ warmUpRuns: 1, latencyMs: only(ms), latencySamplesMs: [ms] });

test('the fastest setting counts, against ours and against its own plain network', async () => {
  const disposed: string[] = [];
  const peers = new PeerEntrants();
  await peers.enter(['ort-web'], ENTRANTS, { openPeer: async () => peer({ A: 0, B: 1e-5 }, disposed) } as never);
  const measured = new Map<Contestant, Times>([
    [ENTRANTS[0], times(10)],
    [ENTRANTS[1], times(4)],
  ]);
  // A: plain 30, compact 25; B: plain 40, compact 20.
  expect(peers.contestants.map(({ label }) => label)).toEqual(['plain in Other 1.0, A', 'compact in Other 1.0, A', 'plain in Other 1.0, B', 'compact in Other 1.0, B']);
  peers.contestants.forEach((contestant, i) => measured.set(contestant, times([30, 25, 40, 20][i])));
  const results = peers.results(measured);
  expect(results.map(({ label, isBest, speedUp, timesOurs }) => [label, isBest, speedUp, timesOurs])).toEqual([
    ['plain', true, 1, 3],
    ['compact', false, 30 / 25, 25 / 4],
    ['plain', false, 30 / 40, 4],
    ['compact', true, 30 / 20, 5],
  ]);
  expect(results[0]).toMatchObject({ peer: 'ort-web', title: 'Other 1.0', setting: 'A, on the GPU', notes: ['graph capture: refused'], verified: true });
  expect(results[0].load).toEqual({ downloadMs: 7, downloadBytes: 99, exportMs: 1, createMs: 5, firstRunMs: 3, totalMs: 8 });
  expect(results[3].relativeError).toBeCloseTo(2e-6, 7);
  await peers.dispose();
  expect(disposed).toEqual(['plain A', 'compact A', 'plain B', 'compact B', 'peer']);
  expect(peers.results(measured)).toEqual(results);
});

test('logits that are not ours have no time, but an error; what refuses says why', async () => {
  const peers = new PeerEntrants();
  await peers.enter(['ort-web'], ENTRANTS.slice(0, 1), { openPeer: async () => peer({ off: 0.01, refusing: NaN }) } as never);
  expect(peers.contestants).toEqual([]);
  const [off, refusing] = peers.results(new Map());
  expect(off).toMatchObject({ verified: false, problem: 'its logits are off from ours by 2.0e-3, above 1e-4' });
  expect(off.relativeError).toBeCloseTo(0.002, 5);
  expect(refusing).toMatchObject({ verified: false, problem: 'no such layout', relativeError: null });
  for (const result of [off, refusing]) for (const field of ['times', 'isBest', 'timesOurs', 'speedUp']) expect(result).not.toHaveProperty(field);
});

test('an engine that cannot be loaded is a result for every network', async () => {
  const peers = new PeerEntrants();
  const openPeer = async () => {
    throw new Error('404');
  };
  await peers.enter(['tfjs'], ENTRANTS, { openPeer } as never);
  expect(peers.results(new Map())).toMatchObject([
    { peer: 'tfjs', label: 'plain', verified: false, problem: '404' },
    { peer: 'tfjs', label: 'compact', verified: false, problem: '404' },
  ]);
});

/** Other engines as contestants: on the same networks, weights and input, verified against our logits. */
import { throwIfAborted } from '../src/errors.ts';
import type { Dtype } from '../src/tensor/dtype.ts';
import type { Contestant } from './contestant.ts';
import type { Entrant } from './entrant.ts';
import type { BenchOptions } from './options.ts';
import { reasonOf, type Peer, type PeerName, type PeerRunner } from './peers/peer.ts';
import type { PeerLoadTimes, PeerResult, Times } from './report.ts';
import { relativeL2 } from './statistics.ts';

/** How far other engines, which store float32, may be from our logits: two errors against the truth, of sums in another order. */
const PEER_TOLERANCE: Readonly<Record<Dtype, number>> = { f32: 1e-4, f16: 5e-3 };

/** A network in another engine and one of its settings, ready to be timed. */
interface PeerEntrant extends Contestant {
  readonly about: Omit<PeerResult, 'verified' | 'problem'>;
  readonly entrant: Entrant;
  readonly runner: PeerRunner;
}

/** What did not get that far. */
interface PeerAbsentee {
  readonly about: Omit<PeerResult, 'verified' | 'problem'>;
  readonly problem: string;
}

/** The engines that were asked for, with every network in every one of their settings. */
export class PeerEntrants {
  readonly #candidates: (PeerEntrant | PeerAbsentee)[] = [];
  readonly #peers: Peer[] = [];

  /** Loads and verifies them. What does not work is a result: it becomes a problem. @throws aborted */
  async enter(names: readonly PeerName[], entrants: readonly Entrant[], options: BenchOptions): Promise<void> {
    for (const name of names) {
      throwIfAborted(options.signal);
      options.onProgress?.({ phase: 'download', label: name });
      let peer: Peer;
      try {
        peer = await options.openPeer!(name);
      } catch (error) {
        for (const entrant of entrants) this.#candidates.push({ about: aboutPeer(name, name, entrant), problem: reasonOf(error) });
        continue;
      }
      this.#peers.push(peer);
      const total = entrants.length * peer.settings.length;
      for (const [i, setting] of peer.settings.entries()) {
        for (const [j, entrant] of entrants.entries()) {
          throwIfAborted(options.signal);
          const label = `${entrant.label} in ${peer.title}, ${setting}`;
          options.onProgress?.({ phase: 'peer', label, done: i * entrants.length + j, total });
          this.#candidates.push(await enterPeer(peer, setting, entrant));
        }
      }
    }
  }

  /** Those that can be timed. */
  get contestants(): readonly Contestant[] {
    return this.#entered.filter(({ problem }) => problem === undefined);
  }

  /** @param ours times of our own networks */
  results(times: ReadonlyMap<Contestant, Times>): PeerResult[] {
    const median = (candidate: Contestant) => times.get(candidate)?.latencyMs.median ?? Infinity;
    const best = (peer: PeerName, label: string) => {
      const rivals = this.#entered.filter(({ about }) => about.peer === peer && about.label === label);
      return rivals.reduce<PeerEntrant | undefined>((a, b) => (a && median(a) <= median(b) ? a : b), undefined);
    };
    return this.#candidates.map((candidate): PeerResult => {
      const { about, problem } = candidate;
      const own = 'runner' in candidate ? times.get(candidate) : undefined;
      if (!('runner' in candidate) || !own) return { ...about, verified: false, problem: problem ?? 'it was not timed' };
      const { entrant } = candidate;
      const baseline = best(about.peer, entrant.network.baseline ?? entrant.label);
      const ours = times.get(entrant);
      return {
        ...about,
        verified: true,
        times: own,
        isBest: best(about.peer, about.label) === candidate,
        ...(baseline && times.has(baseline) && { speedUp: median(baseline) / own.latencyMs.median }),
        ...(ours && { timesOurs: own.latencyMs.median / ours.latencyMs.median }),
      };
    });
  }

  /** Frees what the engines hold; results stay. Again is harmless. */
  async dispose(): Promise<void> {
    for (const { runner } of this.#entered) await runner.dispose();
    for (const peer of this.#peers.splice(0)) await peer.dispose();
  }

  get #entered(): PeerEntrant[] {
    return this.#candidates.filter((candidate): candidate is PeerEntrant => 'runner' in candidate);
  }
}

function aboutPeer(peer: PeerName, title: string, { label, session }: Entrant, setting = ''): PeerAbsentee['about'] {
  return { peer, title, label, setting, notes: [], relativeError: null, verifyTolerance: PEER_TOLERANCE[session.dtype] };
}

async function enterPeer(peer: Peer, setting: string, entrant: Entrant): Promise<PeerEntrant | PeerAbsentee> {
  const { model, input, firstOutput, label } = entrant;
  const about = aboutPeer(peer.name, peer.title, entrant, setting);
  let runner: PeerRunner | undefined;
  try {
    runner = await peer.create(setting, { graph: model.graph, weights: model.weights, input });
    const output = await runner.run();
    const { createMs, firstRunMs } = runner.load;
    const load: PeerLoadTimes = {
      downloadMs: peer.downloadMs,
      ...(peer.downloadBytes !== undefined && { downloadBytes: peer.downloadBytes }),
      ...runner.load,
      totalMs: createMs + firstRunMs,
    };
    const error = relativeL2(output.data, firstOutput.data);
    const tolerance = about.verifyTolerance;
    const { setting: actual, notes } = runner;
    return {
      about: { ...about, setting: actual, notes, relativeError: Number.isFinite(error) ? error : null, load },
      label: `${label} in ${peer.title}, ${setting}`,
      entrant,
      runner,
      firstOutput: output,
      tolerance,
      problem: error <= tolerance ? undefined : `its logits are off from ours by ${error.toExponential(1)}, above ${tolerance.toExponential(0)}`,
      run: () => timedRun(runner!),
      problemOf: reasonOf,
    };
  } catch (error) {
    await runner?.dispose();
    return { about, problem: reasonOf(error) };
  }
}

async function timedRun(runner: PeerRunner) {
  const start = performance.now();
  const output = await runner.run();
  return { output, latencyMs: performance.now() - start };
}

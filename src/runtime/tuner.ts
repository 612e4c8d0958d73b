/**
 * The autotuner: for every kind of work in a plan, which of the ways to do it is the fastest on this adapter: first of the forms
 * that passes chose from, one dispatch or two, then of the kernels of what came out of that. What
 * a cache knows is not measured again; what is chosen is kept only if the whole network is not slower for it.
 */
import type { Choice } from '../kernels/kernel.ts';
import { distinctChoices, distinctForms } from '../scheduler/isolate.ts';
import { indexedDbTuningCache } from './indexed-db-cache.ts';
import { choicesOf, isKnown, lookUp, tuningKey, type TunedSignature, type TuningCache } from './tuning-cache.ts';
import { TuningTrials, type TuningSubject } from './tuning-trials.ts';

/** What `tune` is doing; `done` of `total`, in kinds of work, or rounds while it confirms (which may end before `total`). */
export interface TuningProgress {
  readonly phase: 'verify' | 'measure' | 'confirm';
  readonly done: number;
  readonly total: number;
  readonly signature?: string;
}

/** One kind of work in a report. */
export interface SignatureReport extends TunedSignature {
  readonly signature: string;
  /** What is taken without tuning. */
  readonly predicted: string;
  /** Not measured now. */
  readonly fromCache: boolean;
}

/** What tuning found; plain data. */
export interface TuningReport {
  /** Name of the adapter. */
  readonly adapter: string;
  /** Name of the network. */
  readonly network: string;
  readonly signatures: readonly SignatureReport[];
  /** The whole network without the choices and with them, in milliseconds. */
  readonly networkMs: { readonly before: number; readonly after: number };
  /** Whether the choices are used: the network is not slower with them, and computes the same. */
  readonly kept: boolean;
  /** Whether nothing had to be measured but the whole network. */
  readonly fromCache: boolean;
  /** What went wrong on the way without being in the way: a cache that cannot be read or written. */
  readonly problems: readonly string[];
}

export interface TunerOptions {
  /** `null`: none; undefined: IndexedDB where there is one. */
  readonly cache: TuningCache | null | undefined;
  /** What is known already, by signature. */
  readonly known: ReadonlyMap<string, TunedSignature>;
  /** Whether to measure what is known, too. */
  readonly fresh: boolean;
  readonly onProgress: ((progress: TuningProgress) => void) | undefined;
}

export interface Tuned {
  readonly report: TuningReport;
  /** What is known now, by signature. */
  readonly known: ReadonlyMap<string, TunedSignature>;
  /** What to take, by signature. */
  readonly choices: ReadonlyMap<string, string>;
}

/** Tunes the network. @throws aborted; whatever the device's end is */
export async function tuneNetwork(subject: TuningSubject, { cache: wanted, known: before, fresh, onProgress }: TunerOptions): Promise<Tuned> {
  const cache = (wanted === undefined && typeof indexedDB !== 'undefined' ? indexedDbTuningCache() : wanted) ?? undefined;
  const { engine } = subject;
  const problems: string[] = [];
  const cached = await lookUp(cache, tuningKey(engine.adapter), problems);
  const known = new Map([...Object.entries(cached?.signatures ?? {}), ...before]);
  const trials = new TuningTrials(subject);
  try {
    const missing = new Map<string, Choice>();
    const measureMissing = async (found: readonly Choice[], choices: ReadonlyMap<string, string>, kernels: readonly Choice[]) => {
      const unknown = found.filter((choice) => !missing.has(choice.signature) && (fresh || !isKnown(choice, known)));
      for (const [done, choice] of unknown.entries()) {
        const progress = { done, total: unknown.length, signature: choice.signature };
        onProgress?.({ phase: 'verify', ...progress });
        known.set(choice.signature, await trials.measure(choice, choices, kernels, () => onProgress?.({ phase: 'measure', ...progress })));
        missing.set(choice.signature, choice);
      }
    };
    // Every kind of work in the network, measured, and the network with what is the fastest of each.
    const attempt = async (takesForms: boolean) => {
      const choices = new Map<string, string>();
      const all: Choice[] = [];
      const take = (found: readonly Choice[], takes: boolean) => {
        for (const { signature, candidates } of found) choices.set(signature, takes ? known.get(signature)!.chosen : candidates[0]);
        all.push(...found);
      };
      // A form taken in another way may bring forth others: those of a module's next level.
      for (;;) {
        const found = distinctForms(trials.plan(choices)).filter(({ signature }) => !choices.has(signature));
        if (found.length === 0) break;
        await measureMissing(found, choices, []);
        take(found, takesForms);
      }
      const hasForms = all.some(({ signature, candidates: [predicted] }) => choices.get(signature) !== predicted);
      const kernels = distinctChoices(trials.plan(choices));
      await measureMissing(kernels, choices, kernels);
      take(kernels, true);
      const isChanged = all.some(({ signature, candidates: [predicted] }) => choices.get(signature) !== predicted);
      const onRound = (done: number, total: number) => onProgress?.({ phase: 'confirm', done, total });
      const confirmed = await trials.confirm(isChanged ? choices : undefined, onRound);
      const kept = !isChanged || (confirmed.problem === undefined && confirmed.after <= confirmed.before);
      if (confirmed.problem !== undefined) problems.push(`with the choices the network computes something else: ${confirmed.problem}`);
      return { all, choices, confirmed, kept, hasForms };
    };
    let outcome = await attempt(true);
    // Without those forms the network may have other kernels, which get a chance of their own.
    if (!outcome.kept && outcome.hasForms) outcome = await attempt(false);
    const { all, choices, confirmed, kept } = outcome;
    // Only of what was measured now: another network may well have confirmed the rest.
    for (const [signature, { candidates }] of missing) {
      const chosen = (kept && choices.get(signature)) || candidates[0];
      known.set(signature, { ...known.get(signature)!, chosen });
    }
    // Lost in between, every candidate failed, which is not to be remembered.
    await engine.whileAlive(new Promise((resolve) => setTimeout(resolve)));
    const inCache = new Map(Object.entries(cached?.signatures ?? {}));
    await remember(subject, cache, all.filter((choice) => fresh || !isKnown(choice, inCache)), known, problems);
    const { before: untunedMs, after: tunedMs } = confirmed;
    return {
      known,
      choices: new Map([...choicesOf(known)].filter(([signature]) => kept || !choices.has(signature))),
      report: {
        adapter: engine.adapter.name,
        network: subject.graph.name,
        signatures: all.map(({ signature, candidates: [predicted] }) => ({
          signature,
          predicted,
          ...known.get(signature)!,
          fromCache: !missing.has(signature),
        })),
        networkMs: { before: untunedMs, after: tunedMs },
        kept,
        fromCache: missing.size === 0,
        problems,
      },
    };
  } finally {
    trials.destroy();
  }
}

async function remember(
  { engine }: TuningSubject,
  cache: TuningCache | undefined,
  found: readonly Choice[],
  known: ReadonlyMap<string, TunedSignature>,
  problems: string[],
): Promise<void> {
  if (!cache || found.length === 0) return;
  const key = tuningKey(engine.adapter);
  // Once more: someone else may have tuned another network meanwhile.
  const latest = await lookUp(cache, key);
  const added = Object.fromEntries(found.map(({ signature }) => [signature, known.get(signature)!]));
  try {
    await cache.set(key, { adapter: engine.adapter.name, signatures: { ...latest?.signatures, ...added } });
  } catch (error) {
    problems.push((error as Error).message);
  }
}

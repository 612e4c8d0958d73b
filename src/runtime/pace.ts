/**
 * How much work one submit may carry. An operating system resets a GPU that one submit keeps busy for 2 s, so what would last long is
 * cut between dispatches into pieces meant for half a second each, by a rate: first that of the slowest adapter, then the measured
 * one. Nothing here knows a device; `paced-queue.ts` submits.
 *
 * A dispatch is not cut: of a batch that makes one too long, fewer images are run at once; what one image takes is one piece.
 */
import { valuesOf, type Dispatch } from '../kernels/kernel.ts';
import { valueBytes } from '../scheduler/memory.ts';
import type { Plan } from '../scheduler/plan.ts';

/** What a piece should last at most: a quarter of a watchdog's 2 s, since a rate says little of the next piece. */
export const PIECE_MS = 500;
/** A dispatch that is expected to last longer is one of fewer images. */
const DISPATCH_MS = 2 * PIECE_MS;
/**
 * Work per millisecond that any adapter can do, before it is known: 1 GMAC per second, a quarter of what SwiftShader does on two cores.
 * A first piece is therefore 0.5 GMAC, and it also waits for whatever the driver has put off until then.
 */
export const SLOWEST_RATE = 1e6;
/** What moves a byte takes as long as so many MACs: GPUs have 2 to 10 for each byte of bandwidth, SwiftShader 2 to 5. */
export const MACS_PER_BYTE = 4;
/** What is over sooner says how fast the adapter is at least, since most of it may be waiting; it cannot say that it is slow. */
const TELLING_MS = 50;

/** Work of a dispatch of the plan, in MACs: those it has, and its values and constants, each once, at `MACS_PER_BYTE`. */
export function dispatchWork({ values, constants, dtype }: Plan, dispatch: Dispatch): number {
  const { read, written } = valuesOf(dispatch);
  const keys = dispatch.buffers.flatMap((ref) => ('constant' in ref ? [ref.constant] : []));
  const sizes = [
    ...[...new Set([...read, ...written])].map((name) => valueBytes(values.get(name)!, dtype)),
    ...[...new Set(keys)].map((key) => constants.get(key)!.byteLength),
  ];
  return dispatch.macs + MACS_PER_BYTE * sizes.reduce((sum, bytes) => sum + bytes, 0);
}

/**
 * Where the piece ends that begins with step `from`: it has as many steps as the budget allows, and one at least.
 * @param work of each step
 * @returns the index of the first step that is not in it
 */
export function pieceEnd(work: readonly number[], from: number, budget: number): number {
  let to = from + 1;
  for (let sum = work[from]; to < work.length && sum + work[to] <= budget; to++) sum += work[to];
  return to;
}

/** How many images of a batch to run at once, so that no dispatch of the batch has more work than `most`; one at least. */
export function imagesAtOnce(images: number, work: readonly number[], most: number): number {
  const heaviest = Math.max(...work);
  return heaviest <= most ? images : Math.max(1, Math.floor((images * most) / heaviest));
}

/** The rate at which an adapter works, from what it did before. */
export class Pace {
  #rate = SLOWEST_RATE;

  /** The most work that a piece should have. */
  get budget(): number {
    return PIECE_MS * this.#rate;
  }

  /** The most work that a dispatch should have. */
  get dispatchBudget(): number {
    return DISPATCH_MS * this.#rate;
  }

  /** Learns from `work` that took `ms`. */
  observe(work: number, ms: number): void {
    // Clocks stand still for a millisecond in some browsers.
    const rate = Math.max(SLOWEST_RATE, work / Math.max(ms, 1));
    this.#rate = ms < TELLING_MS ? Math.max(this.#rate, rate) : rate;
  }
}

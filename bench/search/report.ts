/** What a search found, as a file and in words. */
import { CompConvError } from '../../src/errors.ts';
import type { Depth } from '../../src/ops/comp-conv-channels.ts';
import { schemaProblems } from '../report/json-schema.ts';
import type { DepthCost } from './measure.ts';
import schema from './report.schema.json';

/** What the network may take, as a share of what the plain one does: its time, or its parameters. */
export type Budget = { readonly latency: number } | { readonly params: number };

/** Plain data; `report.schema.json` says the same. */
export interface SearchReport {
  readonly kind: 'depth-search';
  readonly format: 1;
  readonly adapter: string;
  /** Whether the adapter computes on the processor: its times say nothing about a GPU. */
  readonly software: boolean;
  /** Name of the plain network. */
  readonly network: string;
  readonly inputShape: readonly [n: number, c: number, h: number, w: number];
  readonly budget: Budget;
  /** What there is to be as much of as possible, or as little for `latency` and `sensitivity`. */
  readonly objective: 'params' | 'sensitivity' | 'latency';
  /** The map that `compress`, `loadModel` and `train/` take as `depths`. */
  readonly depths: Readonly<Record<string, Depth>>;
  readonly layers: readonly SearchedLayer[];
  /** What is no convolution takes so long in every network. */
  readonly restMs: number;
  readonly plain: SearchedNetwork;
  readonly searched: SearchedNetwork;
}

export interface SearchedLayer {
  readonly layer: string;
  /** That was chosen. */
  readonly depth: Depth;
  readonly options: readonly SearchedOption[];
}

export interface SearchedOption extends DepthCost {
  /** Of the layer at this depth, as the file of sensitivities has it, the larger the worse; where those decided. */
  readonly sensitivity?: number;
}

export interface SearchedNetwork {
  readonly macs: number;
  readonly params: number;
  /** The sum of its layers, each measured by itself. */
  readonly predictedMs: number;
  /** The whole network, measured. */
  readonly measuredMs: number;
}

/** Whether text that should be JSON claims to be a search's. */
export function isSearch(text: string): boolean {
  try {
    const value = JSON.parse(text) as { kind?: unknown } | null;
    return value?.kind === 'depth-search';
  } catch {
    return false;
  }
}

/** @throws invalid-file saying what is wrong */
export function parseSearch(text: string): SearchReport {
  const value = JSON.parse(text) as SearchReport;
  const problems = schemaProblems(value, schema);
  if (problems.length > 0) throw new CompConvError('invalid-file', `It is a search, but something is wrong in it: ${problems.join('\n')}`);
  return value;
}

/**
 * That the whole network, measured, takes more than the budget of time, in words; undefined where it does not. Depths are chosen by the
 * sum of layers measured one by one, which the whole need not keep to. A budget of parameters is counted, and always kept.
 */
export function missedBudget({ budget, plain, searched }: SearchReport, formatShare: (share: number) => string): string | undefined {
  if (!('latency' in budget)) return undefined;
  const measured = searched.measuredMs / plain.measuredMs;
  if (!(measured > budget.latency)) return undefined;
  const predicted = searched.predictedMs / plain.predictedMs;
  return `the budget of ${formatShare(budget.latency)} of the plain time is missed: predicted ${formatShare(predicted)}, measured ${formatShare(measured)}`;
}

/** What a layer loses at a depth by the sensitivities, against the plain one, in words; undefined where they did not decide. */
export function lossOf({ options: [plain] }: SearchedLayer, { sensitivity }: SearchedOption): string | undefined {
  if (sensitivity === undefined || plain.sensitivity === undefined) return undefined;
  return String(Number((sensitivity - plain.sensitivity).toPrecision(3)));
}

/** Why a layer has its depth, in words. */
export function whyDepth(layer: SearchedLayer, objective: SearchReport['objective'], formatMs: (ms: number) => string): string {
  const { depth, options } = layer;
  const [plain] = options;
  const chosen = options.find((option) => option.depth === depth) ?? plain;
  const fastest = options.reduce((best, option) => (option.ms < best.ms ? option : best));
  const share = (part: number, whole: number) => `${Math.round((100 * part) / whole)}\u00a0%`;
  /** What time is traded for. */
  const price = (option: SearchedOption, ofWhat = '') => {
    const loss = objective === 'sensitivity' ? lossOf(layer, option) : undefined;
    return loss === undefined ? `${share(option.params, plain.params)}${ofWhat}` : `a loss of ${loss}`;
  };
  const kept = price(chosen, ' of the parameters');
  if (chosen === fastest) {
    return chosen.depth === 0
      ? 'The fastest here: CompConv does not pay in this layer'
      : `The fastest here: ${share(chosen.ms, plain.ms)} of the plain time, with ${kept}`;
  }
  const more = formatMs(chosen.ms - fastest.ms);
  if (chosen.depth === 0) return `Kept plain within the budget; depth ${fastest.depth} would save ${more}, with ${price(fastest, ' of the parameters')}`;
  const saved = plain.ms - chosen.ms;
  const effect = saved > 0 ? `Saves ${formatMs(saved)}, with ${kept}` : `With ${kept}`;
  return `${effect}; depth ${fastest.depth} would save ${more} more, with ${price(fastest)}${objective === 'latency' ? ', more than the budget' : ''}`;
}

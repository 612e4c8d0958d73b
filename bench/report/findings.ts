/** What a report says in a sentence or two, in words that follow from the numbers, whichever way they fall. Pure. */
import { formatSpeed, outcomeOf, type Outcome } from '../../src/page/finding.ts';
import { formatMs } from '../../src/page/format.ts';
import type { BenchReport, BenchResult } from '../report.ts';
import { reportRows, type ReportRow } from './rows.ts';

export interface Finding {
  /** Label of the network it is about. */
  readonly label: string;
  /** `failed`: something is wrong with its result, or with its twin's. `untimed`: nobody asked for times. */
  readonly outcome: Outcome | 'failed' | 'untimed';
  readonly headline: string;
  readonly detail: string;
  readonly speedUp?: number;
}

/** One of each network that is compared with its twin, the fastest first; of each network, where none is compared. */
export function describeFindings(report: BenchReport): Finding[] {
  const { networks } = report;
  const compared = networks.filter(({ label, baseline }) => label !== baseline);
  if (compared.length === 0) return networks.map((network) => describeAlone(network, report));
  const findings = compared.map((own) =>
    describePair(
      networks.find(({ label }) => label === own.baseline)!,
      own,
      report,
    ),
  );
  // What failed comes first: it must not be overlooked.
  const rank = ({ outcome, speedUp = 0 }: Finding) => (outcome === 'failed' ? -Infinity : -speedUp);
  return findings.sort((a, b) => rank(a) - rank(b));
}

function describePair(plain: BenchResult, own: BenchResult, report: BenchReport): Finding {
  const { label, macsRatio } = own;
  if (!own.verified) return describeFailure(own);
  const flops = describeFlops(macsRatio);
  if (!plain.verified) {
    const failure = describeFailure(plain);
    const takes = own.times ? `, which takes ${formatMs(own.times.latencyMs.median)}` : '';
    const detail = `${failure.detail} So there is nothing to compare ${label} with${takes}.`;
    return { ...failure, label, detail };
  }
  if (own.speedUp === undefined || !own.times || !plain.times)
    return {
      label,
      outcome: 'untimed',
      headline: `${label} has ${flops} than ${plain.label}`,
      detail: describeLayerSums(plain, own),
    };
  const outcome = outcomeOf(own.speedUp);
  const speed = `${formatSpeed(own.speedUp)} as fast`;
  const headline = {
    faster: `${label} is ${speed} as ${plain.label} here, with ${flops}`,
    equal: `No real gain here: ${label} is ${speed} as ${plain.label}, with ${flops}`,
    slower: `Slower here: ${label} is ${speed} as ${plain.label}, with ${flops}`,
  }[outcome];
  const [ownMs, plainMs] = [own, plain].map(({ times }) => formatMs(times!.latencyMs.median));
  const detail =
    `${subject(report)} takes ${ownMs} with CompConv and ${plainMs} without ` +
    `(medians of ${describeRuns(own, plain)}, in turns).${describeDispatches(outcome, plain, own)}`;
  return { label, outcome, headline, detail, speedUp: own.speedUp };
}

function describeAlone(network: BenchResult, report: BenchReport): Finding {
  const { label, verified, times } = network;
  if (!verified) return describeFailure(network);
  if (!times)
    return {
      label,
      outcome: 'untimed',
      headline: `${label} computes what it should here`,
      detail: 'Whole inferences were not timed.',
    };
  return {
    label,
    outcome: 'equal',
    headline: `${label} takes ${formatMs(times.latencyMs.median)} here`,
    detail: `${subject(report)}, median of ${times.latencyMs.n} runs. Nothing was measured beside it.`,
  };
}

/** No time, and by how much it is off. */
function describeFailure({
  label,
  plan,
  problem = 'nobody knows why',
  relativeError,
  verifyTolerance,
  verifySize,
}: BenchResult): Finding {
  const isOff = relativeError !== null && relativeError > verifyTolerance;
  if (!plan)
    return {
      label,
      outcome: 'failed',
      headline: `${label} could not run here, so it has no time`,
      detail: `${sentence(problem)}`,
    };
  return {
    label,
    outcome: 'failed',
    headline: `${label} computes something else here, so no time is shown`,
    detail: isOff
      ? `Its logits at ${verifySize}×${verifySize} are off by ${formatError(relativeError)} (relative L2 against the CPU reference); ` +
        `${verifyTolerance.toExponential(0)} is allowed. What computes something else is not faster or slower, it is wrong.`
      : sentence(problem),
  };
}

/** `2.82× fewer FLOPs` */
function describeFlops(macsRatio: number): string {
  if (Math.abs(macsRatio - 1) < 0.005) return 'the same FLOPs';
  return macsRatio > 1 ? `${macsRatio.toFixed(2)}× fewer FLOPs` : `${(1 / macsRatio).toFixed(2)}× more FLOPs`;
}

/** `3.1e-2` */
export function formatError(error: number | null): string {
  return error === null ? 'not a number' : error.toExponential(1);
}

function subject({ options: { batch } }: BenchReport): string {
  return batch === 1 ? 'One image' : `A batch of ${batch} images`;
}

function describeRuns(own: BenchResult, plain: BenchResult): string {
  const [a, b] = [own.times!.latencyMs.n, plain.times!.latencyMs.n];
  return a === b ? `${a} runs each` : `${a} and ${b} runs`;
}

function describeDispatches(outcome: Outcome, plain: BenchResult, own: BenchResult): string {
  if (outcome === 'faster' || !plain.plan || !own.plan || own.plan.dispatches <= plain.plan.dispatches) return '';
  return ` It saves arithmetic, not launches: ${own.plan.dispatches} dispatches stand against ${plain.plan.dispatches}.`;
}

function describeLayerSums(plain: BenchResult, own: BenchResult): string {
  if (!own.layers || !plain.layers) return 'Whole inferences were not timed.';
  return (
    `Whole inferences were not timed. One by one its dispatches take ${formatMs(own.layers.timeMs)} in all, those of ` +
    `${plain.label} ${formatMs(plain.layers.timeMs)}.`
  );
}

/** A sentence for each other engine: its best time on each network beside ours, or why it has none. */
export function describePeers(report: BenchReport): string[] {
  const rows = reportRows(report).filter(({ kind }) => kind !== 'ours');
  return [...new Set(rows.map(({ kind }) => kind))].map((kind) => {
    const own = rows.filter((row) => row.kind === kind);
    const best = own.filter(({ isBest, times }) => isBest && times);
    const title = (best[0] ?? own[0]).engine;
    const failed = [...new Set(own.filter(({ times }) => !times).map(({ label }) => label))].filter(
      (label) => !best.some((row) => row.label === label),
    );
    const parts = best.map((row) => `${formatMs(row.times!.latencyMs.median)} for ${row.label} (${describeAgainstOurs(row)})`);
    const none = failed.length > 0 ? `no time for ${failed.join(', ')}` : '';
    if (parts.length === 0) return `${title} has ${none}.`;
    return `${title} takes ${parts.join(', ')}, ${parts.length > 1 ? 'each ' : ''}in its best setting${none && `; there is ${none}`}.`;
  });
}

function describeAgainstOurs({ timesOurs }: ReportRow): string {
  if (timesOurs === undefined) return 'no time of ours beside it';
  return timesOurs >= 1 ? `${formatSpeed(timesOurs)} ours` : `${formatSpeed(timesOurs)} ours, so it is faster than we are`;
}

function sentence(text: string): string {
  const upper = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
}

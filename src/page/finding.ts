/** The page's headline: what was found here, in words that follow from the numbers, whichever way they fall. */
import { formatCount, formatMs, formatRatio } from './format.ts';

/** One network's numbers, as far as the headline needs them. */
export interface Measured {
  readonly macs: number;
  readonly latencyMs: number;
  readonly dispatches: number;
  /** Right answers among `samples` images. */
  readonly correct: number;
  /** Right answers in the whole test set, from PyTorch. */
  readonly testSetCorrect?: number;
}

export interface Finding {
  readonly headline: string;
  readonly detail: string;
}

/** In between there is no real gain: the same page loaded again differs by as much. Doubt speaks against CompConv. */
const SLOWER_BELOW = 0.95;
const FASTER_ABOVE = 1.1;

/** Compares CompConv with its plain twin. */
export function describeFinding(plain: Measured, compConv: Measured, samples: number, testSetImages: number): Finding {
  const macsRatio = plain.macs / compConv.macs;
  const speed = plain.latencyMs / compConv.latencyMs;
  const macs = macsRatio >= 1 ? `${formatRatio(macsRatio)} fewer MACs` : `${formatRatio(1 / macsRatio)} more MACs`;
  const outcome = outcomeOf(speed);
  const headline = {
    slower: `CompConv: ${macs}, but slower here: ${formatSpeed(speed)} as fast`,
    equal: `CompConv: ${macs}, but no real gain in time here: ${formatSpeed(speed)} as fast`,
    faster: `CompConv: ${macs}, and faster here: ${formatSpeed(speed)} as fast`,
  }[outcome];
  const times = `A picture takes ${formatMs(compConv.latencyMs)} with CompConv and ${formatMs(plain.latencyMs)} without.`;
  const why =
    outcome !== 'faster' && compConv.dispatches > plain.dispatches
      ? ` It saves arithmetic, not launches: ${compConv.dispatches} dispatches stand against ${plain.dispatches}, and on ` +
        '28×28 pictures there is little arithmetic to save.'
      : '';
  return { headline, detail: times + why + describeAccuracy(plain, compConv, samples, testSetImages) };
}

export type Outcome = 'slower' | 'equal' | 'faster';

/** What to call a speed-up: how many times as fast CompConv is. */
export function outcomeOf(speed: number): Outcome {
  if (speed < SLOWER_BELOW) return 'slower';
  return speed > FASTER_ABOVE ? 'faster' : 'equal';
}

/** Two digits: one would make 1.1 of 1.06. */
export function formatSpeed(speed: number): string {
  return `${speed.toFixed(2)}×`;
}

function describeAccuracy(plain: Measured, compConv: Measured, samples: number, testSetImages: number): string {
  const here =
    compConv.correct === plain.correct
      ? ` Both get ${plain.correct} of these ${samples} pictures right.`
      : ` Of these ${samples} pictures CompConv gets ${compConv.correct} right, the plain network ${plain.correct}.`;
  if (plain.testSetCorrect === undefined || compConv.testSetCorrect === undefined) return here;
  return (
    `${here} Of the whole test set of ${formatCount(testSetImages)} CompConv gets ${formatCount(compConv.testSetCorrect)} right, ` +
    `the plain network ${formatCount(plain.testSetCorrect)}.`
  );
}

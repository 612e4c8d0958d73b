/** What to hold against a report's times, in words: software adapters, coarse clocks, few or scattered runs. Pure. */
import { formatDigits, formatMs } from '../../src/page/format.ts';
import type { AdapterLimits, BenchReport } from '../report.ts';
import { timedRows, type TimedRow } from './rows.ts';

const FEW_RUNS = 5;
/** p90 over the least time: above it something else was going on. */
const WIDE_SPREAD = 1.3;
/** Chromium's rounding of GPU timestamps, and of CPU clocks on pages that are not isolated; in milliseconds. */
const GPU_STEP_MS = 0.065536;
const CPU_STEP_MS = 0.1;
/** Of which one no longer matters. */
const MANY_STEPS = 100;

export function describeCaveats(report: BenchReport): string[] {
  const timed = timedRows(report);
  return [
    ...softwareCaveats(report),
    ...runCaveats(timed),
    ...spreadCaveats(timed),
    ...clockCaveats(report, timed),
    ...verificationCaveats(report),
    ...precisionCaveats(report),
  ];
}

function softwareCaveats({ adapter }: BenchReport): string[] {
  return adapter.isSoftware
    ? ['This is a software adapter: it computes on the processor, and its times say nothing about a GPU.']
    : [];
}

function runCaveats(timed: readonly TimedRow[]): string[] {
  const few = timed.filter(({ times }) => times.latencyMs.n < FEW_RUNS);
  if (few.length === 0) return [];
  const least = Math.min(...few.map(({ times }) => times.latencyMs.n));
  return [
    `Few runs: some medians are of ${least === 1 ? 'one run' : `${least} runs`} only, and say little about how much they vary.`,
  ];
}

function spreadCaveats(timed: readonly TimedRow[]): string[] {
  const wide = timed.filter(({ times: { latencyMs } }) => latencyMs.p90 / latencyMs.min > WIDE_SPREAD);
  if (wide.length === 0) return [];
  const worst = wide.reduce((a, b) => (ratioOf(b) > ratioOf(a) ? b : a));
  const { min, p90 } = worst.times.latencyMs;
  const engine = worst.kind === 'ours' ? '' : ` in ${worst.engine}`;
  const others = wide.length > 1 ? `, ${wide.length - 1} other row${wide.length > 2 ? 's' : ''} less so` : '';
  return [
    `Wide spread: runs of ${worst.label}${engine} took from ${formatMs(min)} to ${formatMs(p90)} ` +
      `(p90)${others}. Other programs, heat or a changing clock do that; more runs on a quiet machine help.`,
  ];
}

const ratioOf = ({ times: { latencyMs } }: TimedRow) => latencyMs.p90 / latencyMs.min;

function clockCaveats({ adapter, limits, networks }: BenchReport, timed: readonly TimedRow[]): string[] {
  const gpuTimes = timed.flatMap(({ times: { gpuTimeMs } }) =>
    gpuTimeMs ? [gpuTimeMs.median, gpuTimeMs.p90, gpuTimeMs.min] : [],
  );
  const samples = timed.flatMap(({ times }) => times.latencySamplesMs);
  const caveats: string[] = [];
  if (!adapter.features.includes('timestamp-query') && (timed.length > 0 || networks.some(({ layers }) => layers))) {
    caveats.push(
      'This adapter offers no timestamps: there are no GPU times of whole inferences' +
        (limits ? ', and layers and limits are timed from submission until the queue is done.' : '.'),
    );
  }
  const stepMs = gpuStepMs(limits, gpuTimes);
  if (stepMs !== undefined && Math.min(...gpuTimes) < stepMs * MANY_STEPS) {
    caveats.push(
      `GPU times of whole inferences are rounded to steps of ${formatDigits(stepMs * 1e3)} µs here, which is coarse for the ` +
        'shortest of them.' +
        (limits ? ' Layers and limits are repeated until a step no longer matters.' : ''),
    );
  }
  if (samples.length >= FEW_RUNS && samples.every((ms) => isMultiple(ms, CPU_STEP_MS))) {
    caveats.push(
      'The CPU’s clock has steps of 0.1 ms here: the page is not isolated from other origins, for which the server must send ' +
        'the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp.',
    );
  }
  return caveats;
}

/** As it was measured, else as the times show; undefined where they show none. */
function gpuStepMs(limits: AdapterLimits | undefined, gpuTimes: readonly number[]): number | undefined {
  if (limits?.timestampStepNs !== undefined) return limits.timestampStepNs / 1e6;
  return gpuTimes.length > 0 && gpuTimes.every((ms) => isMultiple(ms, GPU_STEP_MS / 2)) ? GPU_STEP_MS : undefined;
}

function isMultiple(value: number, step: number): boolean {
  return Math.abs(value / step - Math.round(value / step)) < 1e-4;
}

function precisionCaveats({ networks, peers = [] }: BenchReport): string[] {
  const isMixed = networks.some(({ dtype }) => dtype === 'f16') && peers.some(({ times }) => times);
  return isMixed ? ['Other engines store float32 here, and ours float16: that part of the difference is not the engines’.'] : [];
}

function verificationCaveats({ networks }: BenchReport): string[] {
  const smaller = networks.filter(({ verified, verifySize, inputShape }) => verified && verifySize !== inputShape[2]);
  const size = smaller[0]?.verifySize;
  const fallbacks = [...new Set(networks.flatMap(({ dtypeFallback }) => dtypeFallback ?? []))];
  return [
    ...(smaller.length > 0
      ? [
          `${smaller.map(({ label }) => label).join(', ')}: compared with the CPU reference on an image of ${size}×${size}, ` +
            'with the same weights, since at full size that would take minutes; there, each of its kernels was compared by itself.',
        ]
      : []),
    ...networks.flatMap(({ label, layersProblem }) => (layersProblem === undefined ? [] : [`${label}: its layers were not measured: ${layersProblem}`])),
    ...fallbacks,
  ];
}

/** One architecture over several `C_0`: what is left of its arithmetic, parameters and time. Pure. */
import type { BenchReport, BenchResult } from '../report.ts';

/** Fewer are no curve. */
const FEWEST = 3;

export interface SweepPoint {
  readonly label: string;
  /** Undefined for the plain network, which stands behind the largest. */
  readonly c0?: number;
  readonly network: BenchResult;
  /** Of the plain network's; without a time where there is none on either side. */
  readonly macsShare: number;
  readonly paramsShare: number;
  readonly timeShare?: number;
}

export interface Sweep {
  /** Label of the plain network. */
  readonly plain: string;
  /** By `C_0`, the plain network last. */
  readonly points: readonly SweepPoint[];
}

/** The sweeps of a report, none where no network has enough twins. */
export function sweepsOf({ networks }: BenchReport): Sweep[] {
  return networks
    .filter(({ label, baseline }) => label === baseline)
    .flatMap((plain): Sweep[] => {
      const twins = networks
        .filter(({ label, baseline, options }) => baseline === plain.label && label !== baseline && options.c0 !== undefined)
        .sort((a, b) => a.options.c0! - b.options.c0!);
      if (twins.length < FEWEST) return [];
      return [{ plain: plain.label, points: [...twins, plain].map((network) => sweepPoint(network, plain)) }];
    });
}

function sweepPoint(network: BenchResult, plain: BenchResult): SweepPoint {
  const [ms, plainMs] = [network.times?.latencyMs.median, plain.times?.latencyMs.median];
  return {
    label: network.label,
    ...(network !== plain && { c0: network.options.c0! }),
    network,
    macsShare: network.macs / plain.macs,
    paramsShare: network.params / plain.params,
    ...(ms !== undefined && plainMs !== undefined && { timeShare: ms / plainMs }),
  };
}

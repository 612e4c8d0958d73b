/** A report's networks and other engines as rows of one table, which tables, charts, CSV, Markdown and comparisons share. */
import type { BenchReport, BenchResult, Times } from '../report.ts';

export const OUR_ENGINE = 'compconv-webgpu';

/** A network in an engine and one of its settings. */
export interface ReportRow {
  /** `compconv-webgpu`, or the other engine's title. */
  readonly engine: string;
  /** Ours, or the other engine's short name. */
  readonly kind: 'ours' | string;
  /** Empty for ours: the options of the report say it. */
  readonly setting: string;
  /** Of the network. */
  readonly label: string;
  readonly network: BenchResult;
  readonly isPlain: boolean;
  readonly verified: boolean;
  /** Relative L2, of ours against the CPU reference, of others against ours. */
  readonly relativeError: number | null;
  readonly verifyTolerance: number;
  /** Why there are no times. */
  readonly problem?: string;
  readonly times?: Times;
  /** How many times as fast as the same engine's plain network. */
  readonly speedUp?: number;
  /** This latency divided by ours. */
  readonly timesOurs?: number;
  /** Ours, or the engine's fastest setting on this network. */
  readonly isBest: boolean;
}

/** Ours first, then the others, each in the report's order. */
export function reportRows({ networks, peers = [] }: BenchReport): ReportRow[] {
  const byLabel = new Map(networks.map((network) => [network.label, network]));
  const ours = networks.map((network): ReportRow => {
    const { label, baseline, verified, relativeError, verifyTolerance, problem, times, speedUp } = network;
    return {
      engine: OUR_ENGINE,
      kind: 'ours',
      setting: '',
      label,
      network,
      isPlain: label === baseline,
      verified,
      relativeError,
      verifyTolerance,
      ...(problem !== undefined && { problem }),
      ...(times && { times }),
      // Against itself it says nothing.
      ...(speedUp !== undefined && label !== baseline && { speedUp }),
      isBest: true,
    };
  });
  const others = peers.map((peer): ReportRow => {
    const network = byLabel.get(peer.label)!;
    const {
      title,
      setting,
      label,
      verified,
      relativeError,
      verifyTolerance,
      problem,
      times,
      speedUp,
      timesOurs,
      isBest = false,
    } = peer;
    const isPlain = network.label === network.baseline;
    return {
      engine: title,
      kind: peer.peer,
      setting,
      label,
      network,
      isPlain,
      verified,
      relativeError,
      verifyTolerance,
      ...(problem !== undefined && { problem }),
      ...(times && { times }),
      ...(speedUp !== undefined && !isPlain && { speedUp }),
      ...(timesOurs !== undefined && { timesOurs }),
      isBest,
    };
  });
  return [...ours, ...others];
}

/** A row that has times. */
export type TimedRow = ReportRow & { readonly times: Times };

export function timedRows(report: BenchReport): TimedRow[] {
  return reportRows(report).filter((row): row is TimedRow => row.times !== undefined);
}

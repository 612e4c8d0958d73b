/** Reports as CSV, for spreadsheets: one file of networks in engines, one of layers. Times in milliseconds, exact numbers. */
import { csvFormat } from 'd3-dsv';
import { pairLayers } from './layer-pairs.ts';
import type { BenchReport, BenchResult } from '../report.ts';
import { reportRows } from './rows.ts';

/** One row for each network in each engine and setting; cells without a value are empty. */
export function networksCsv(report: BenchReport): string {
  const { adapter, date, versions, options, peers = [] } = report;
  const peerLoad = (kind: string, setting: string, label: string) =>
    peers.find((peer) => peer.peer === kind && peer.setting === setting && peer.label === label)?.load;
  return csvFormat(
    reportRows(report).map(
      ({ kind, engine, setting, label, network, verified, relativeError, problem, times, speedUp, timesOurs }) => {
        const isOurs = kind === 'ours';
        const load = isOurs ? network.load : peerLoad(kind, setting, label);
        return {
          date,
          adapter: adapter.name,
          software: adapter.isSoftware,
          engine,
          engineVersion: isOurs ? (versions.engine ?? '') : '',
          setting,
          network: label,
          baseline: network.baseline,
          inputShape: network.inputShape.join('x'),
          // Other engines get float32.
          dtype: isOurs ? (network.dtype ?? '') : 'f32',
          schedule: isOurs ? options.schedule : '',
          macs: network.macs,
          params: network.params,
          macsRatio: network.macsRatio,
          dispatches: isOurs ? network.plan?.dispatches : undefined,
          pipelines: isOurs ? network.plan?.pipelines : undefined,
          activationBytes: isOurs ? network.plan?.activationBytes : undefined,
          verified,
          relativeError: relativeError ?? undefined,
          medianMs: times?.latencyMs.median,
          p90Ms: times?.latencyMs.p90,
          minMs: times?.latencyMs.min,
          runs: times?.latencyMs.n,
          gpuMedianMs: times?.gpuTimeMs?.median,
          encodeMedianMs: times?.encodeMs?.median,
          speedUp,
          timesOurs,
          firstRunMs: load?.firstRunMs,
          toFirstResultMs: load?.totalMs,
          problem,
        };
      },
    ),
  );
}

/** One row for each layer of a network beside its twin. */
export function layersCsv(plain: BenchResult | undefined, own: BenchResult): string {
  return csvFormat(
    pairLayers(plain, own).map(({ name, layer, plain: plainSide, own: ownSide, speedUp }) => ({
      layer: name,
      op: layer?.op,
      depth: ownSide?.depth,
      kernelSize: layer?.kernelSize,
      stride: layer?.stride,
      inputShape: layer?.inputShape.join('x'),
      outputShape: layer?.outputShape.join('x'),
      ...sideColumns('plain', plainSide),
      ...sideColumns('own', ownSide),
      speedUp,
    })),
  );
}

function sideColumns(prefix: string, side: ReturnType<typeof pairLayers>[number]['own']) {
  const { macs, measured } = side ?? {};
  const columns = {
    Macs: macs,
    Dispatches: measured?.dispatches,
    Kernels: measured && [...measured.kernels].map(([kernel, count]) => `${kernel} x${count}`).join(' '),
    Bytes: measured?.bytes,
    GpuMs: measured?.timeMs,
    GflopPerS: measured?.gflopPerS,
    GbPerS: measured?.gbPerS,
    RooflineShare: measured?.rooflineShare,
  };
  return Object.fromEntries(Object.entries(columns).map(([name, value]) => [prefix + name, value]));
}

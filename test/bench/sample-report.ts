/** A report on made-up numbers, and the limits of a made-up adapter. */
import type { AdapterLimits, BenchReport } from '../../bench/report.ts';
import type { Summary } from '../../bench/statistics.ts';
import { DEFAULT_LIMITS, type DeviceLimits } from '../../src/index.ts';

/** Statistics of one measurement. */
export const only = (value: number): Summary => ({ median: value, p90: value, min: value, n: 1 });

/** What WebGPU guarantees. */
export const DEVICE_LIMITS: DeviceLimits = { ...DEFAULT_LIMITS, maxStorageBuffersPerShaderStage: 8 };

/** 1 TFLOP/s, 1,000 GB/s up to 1 MB and 100 GB/s beyond, 10 us per dispatch. */
export const LIMITS: AdapterLimits = {
  clock: 'queue',
  dispatchFloor: { dependentUs: only(10), dependentDispatches: 256, independentUs: only(5), independentDispatches: 256 },
  peak: {
    gflopPerS: 1000,
    forms: [{ form: 'fma', chains: 2, flop: 1e9, timeMs: only(1), gflopPerS: 1000, medianGflopPerS: 1000 }],
  },
  bandwidth: [
    { bytes: 1e5, copies: 10, timeMs: only(0.0002), gbPerS: 500, medianGbPerS: 500 },
    { bytes: 1e6, copies: 10, timeMs: only(0.001), gbPerS: 1000, medianGbPerS: 1000 },
    { bytes: 1e8, copies: 10, timeMs: only(1), gbPerS: 100, medianGbPerS: 100 },
  ],
};

export const REPORT: BenchReport = {
  format: 2,
  date: '2026-11-24T12:00:00.000Z',
  adapter: {
    name: 'Fast-1 (maker, arch)',
    isSoftware: false,
    vendor: 'maker',
    architecture: 'arch',
    device: '',
    description: '',
    driver: '',
    features: ['timestamp-query'],
    limits: DEVICE_LIMITS,
  },
  versions: { engine: '0.1.0' },
  options: {
    sections: ['times'],
    networks: [{ label: 'plain', options: { arch: 'resnet18' }, baseline: 'plain' }],
    peers: [],
    size: 224,
    batch: 1,
    runs: 1,
    seed: 1,
    schedule: 'optimized',
    withoutPasses: [],
    forcedPasses: [],
    dtype: 'f32',
    tuned: false,
  },
  limits: LIMITS,
  networks: [
    {
      label: 'plain',
      network: 'ResNet18',
      options: { arch: 'resnet18' },
      baseline: 'plain',
      inputShape: [1, 3, 224, 224],
      macs: 10,
      params: 10,
      macsRatio: 1,
      graphLayers: [
        { name: 'conv1', op: 'conv2d', kernelSize: 7, stride: 2, inputShape: [1, 3, 224, 224], outputShape: [1, 64, 112, 112], macs: 10, params: 10 },
      ],
      plan: { dispatches: 2, moves: 0, pipelines: 1, weightBytes: 40, activationBytes: 30, activationLowerBoundBytes: 20, activationRatio: 1.5 },
      dtype: 'f32',
      verified: false,
      relativeError: null,
      verifySize: 64,
      verifyTolerance: 1e-5,
      problem: 'made up',
    },
  ],
};

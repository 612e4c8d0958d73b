import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { DEFAULT_REQUEST, fromSearchParams, isAutostart, requestedNetworks, toSearchParams, type BenchRequest } from '../../bench/request.ts';
import { sections } from '../../bench/options.ts';
import { peerNames } from '../../bench/peers/peer.ts';
import { architectures } from '../../src/models/network.ts';
import { passNames } from '../../src/scheduler/schedule.ts';

const read = (address: string) => fromSearchParams(new URLSearchParams(address));

describe('an address', () => {
  test('without parameters asks for the default', () => expect(read('')).toEqual(DEFAULT_REQUEST));

  test('says all there is to say', () => {
    const address =
      'networks=resnet18,vgg16_bn&c0=64,128&depths={"conv1":0}&inner=bn-relu&groups=4&classes=10&size=97&batch=2&runs=3' +
      '&dtype=f16&schedule=reference&without=free-slices&force=fuse-tails&sections=times,layers&peers=ort-web,tfjs&seed=7&autostart&other=1';
    expect(read(address)).toEqual({
      networks: ['resnet18', 'vgg16_bn'],
      c0: [64, 128],
      depths: { conv1: 0 },
      inner: 'bn-relu',
      shuffleGroups: 4,
      classes: 10,
      size: 97,
      batch: 2,
      runs: 3,
      dtype: 'f16',
      schedule: 'reference',
      withoutPasses: ['free-slices'],
      forcedPasses: ['fuse-tails'],
      sections: ['times', 'layers'],
      peers: ['ort-web', 'tfjs'],
      seed: 7,
    } satisfies BenchRequest);
  });

  test('starts by itself if it says so', () => {
    const starts = (address: string) => isAutostart(new URLSearchParams(address));
    expect(['autostart', 'autostart=1', 'autostart=true'].map(starts)).toEqual([true, true, true]);
    expect(['', 'autostart=0', 'autostart=false'].map(starts)).toEqual([false, false, false]);
  });

  test.each([
    ['networks=resnet51', 'networks: must be one of resnet18'],
    ['networks=', 'networks: must be at least one of'],
    ['c0=128,x', 'c0: must be numbers above 0, got "x"'],
    ['c0=-1', 'c0: must be numbers above 0'],
    ['depths=[1]', 'depths: must be a JSON object'],
    ['depths={"conv1":"2"}', 'depths: must be a JSON object'],
    ['depths={', 'depths: must be a JSON object'],
    ['depths={"conv1":1e999}', 'depths: must be a JSON object'],
    [`depths=${'['.repeat(1000)}`, `got "${'['.repeat(100)}"...`],
    ['size=0', 'size: must be an integer from 1'],
    ['batch=1.5', 'batch: must be an integer from 1'],
    ['runs=1e3', 'runs: must be an integer from 1'],
    ['seed=-1', 'seed: must be an integer from 0'],
    ['dtype=f64', 'dtype: must be one of f32, f16'],
    ['peers=tensorrt', 'peers: must be one of ort-web'],
    ['sections=', 'sections: must be at least one of'],
    ['without=nothing', 'without: must be one of'],
  ])('%s is an error that says what it may be', (address, message) => {
    expect(() => read(address)).toThrow(expect.objectContaining({ code: 'invalid-argument', message: expect.stringContaining(message) }));
  });

  test('is read as it was written, for any request', () => {
    const some = <T>(items: readonly T[], minLength = 0) => fc.uniqueArray(fc.constantFrom(...items), { minLength });
    const count = fc.integer({ min: 1, max: 2 ** 24 });
    const request = fc.record(
      {
        networks: some(architectures, 1),
        c0: fc.array(fc.double({ min: 0.5, max: 4096, noNaN: true }), { maxLength: 3 }),
        depths: fc.dictionary(fc.string(), fc.integer({ min: 0, max: 3 })),
        inner: fc.constantFrom('linear' as const, 'bn-relu' as const),
        shuffleGroups: count,
        classes: count,
        size: count,
        batch: count,
        runs: count,
        dtype: fc.constantFrom('f32' as const, 'f16' as const),
        schedule: fc.constantFrom('reference' as const, 'optimized' as const),
        withoutPasses: some(passNames),
        forcedPasses: some(passNames),
        sections: some(sections, 1),
        peers: some(peerNames),
        seed: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      },
      { requiredKeys: ['networks', 'c0', 'batch', 'runs', 'dtype', 'schedule', 'withoutPasses', 'forcedPasses', 'sections', 'peers', 'seed'] },
    );
    fc.assert(fc.property(request, (value) => void expect(read(toSearchParams(value as BenchRequest).toString())).toEqual(value)));
  });
});

describe('networks', () => {
  const labels = (request: Partial<BenchRequest>) =>
    requestedNetworks({ ...DEFAULT_REQUEST, ...request }).map(({ label, baseline }) => [label, baseline]);

  test('each plain one is followed by its twins', () => {
    expect(labels({ networks: ['resnet18', 'resnet50'], c0: [64, 128] })).toEqual([
      ['ResNet18', 'ResNet18'],
      ['CompConv64-ResNet18', 'ResNet18'],
      ['CompConv128-ResNet18', 'ResNet18'],
      ['ResNet50', 'ResNet50'],
      ['CompConv64-ResNet50', 'ResNet50'],
      ['CompConv128-ResNet50', 'ResNet50'],
    ]);
  });

  test('depths alone make one twin; nothing makes none', () => {
    expect(labels({ c0: [], depths: { conv1: 1 } })).toEqual([
      ['ResNet50', 'ResNet50'],
      ['CompConv-ResNet50', 'ResNet50'],
    ]);
    expect(labels({ c0: [] })).toEqual([['ResNet50', 'ResNet50']]);
    expect(labels({ depths: { conv1: 1 } })[1]).toEqual(['CompConv128-ResNet50 with depths', 'ResNet50']);
  });

  test('more than anybody waits for are refused at once', () => {
    expect(() => labels({ c0: Array.from({ length: 30_000 }, (_, i) => i + 1) })).toThrow('they make 30001 networks, at most 500');
  });

  test('a layer that a network does not have is named', () => {
    expect(() => labels({ depths: { nothing: 1 } })).toThrow('has no plain convolution "nothing"');
    expect(() => labels({ networks: ['vgg11'], size: 16 })).toThrow(expect.objectContaining({ code: 'invalid-graph' }));
  });
});

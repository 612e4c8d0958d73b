import { expect, test } from 'vitest';
import { BETWEEN_LAYERS, pairLayers } from '../../../bench/report/layer-pairs.ts';
import type { BenchResult } from '../../../bench/report.ts';
import { madeReport } from '../made-report.ts';

const {
  networks: [plain, own],
} = madeReport({ networks: ['resnet_small14'], c0: [16], peers: [] });
const sum = (numbers: (number | undefined)[]) => numbers.reduce<number>((total, value) => total + (value ?? 0), 0);

test('every layer of the graph once, in its order, with what it costs on both sides', () => {
  const pairs = pairLayers(plain, own).filter(({ name }) => name !== BETWEEN_LAYERS);
  expect(pairs.map(({ name }) => name)).toEqual(own.graphLayers.map(({ name }) => name));
  for (const [i, { plain: before, own: after }] of pairs.entries()) {
    expect(before!.macs).toBe(plain.graphLayers[i].macs);
    expect(after).toMatchObject({
      macs: own.graphLayers[i].macs,
      ...(own.graphLayers[i].depth && { depth: own.graphLayers[i].depth }),
    });
  }
  expect(pairs.some(({ own: after }) => after!.depth !== undefined)).toBe(true);
});

test('no dispatch is lost or counted twice', () => {
  const pairs = pairLayers(plain, own);
  for (const [side, { layers }] of [
    ['plain', plain],
    ['own', own],
  ] as const) {
    const measured = pairs.map((pair) => pair[side]?.measured);
    expect(sum(measured.map((m) => m?.dispatches))).toBe(layers!.dispatches.length);
    expect(sum(measured.map((m) => m?.timeMs))).toBeCloseTo(layers!.timeMs, 9);
    expect(sum(measured.map((m) => m?.bytes))).toBe(sum(layers!.dispatches.map(({ bytes }) => bytes)));
    expect(sum(measured.flatMap((m) => [...(m?.kernels.values() ?? [])]))).toBe(layers!.dispatches.length);
  }
});

test('rates and speed-up are those of the sums', () => {
  const { own: after, plain: before, speedUp } = pairLayers(plain, own).find(({ name }) => name === 'layer2.0.conv2')!;
  const dispatches = own.layers!.dispatches.filter(({ layer }) => layer === 'layer2.0.conv2');
  expect(dispatches.length).toBeGreaterThan(1);
  const ms = sum(dispatches.map(({ timeMs }) => timeMs.median));
  const { timeMs, gflopPerS, gbPerS, rooflineShare } = after!.measured!;
  expect(timeMs).toBeCloseTo(ms, 12);
  expect(gflopPerS).toBeCloseTo((2 * after!.macs) / ms / 1e6, 6);
  expect(gbPerS).toBeCloseTo(sum(dispatches.map(({ bytes }) => bytes)) / ms / 1e6, 6);
  expect(rooflineShare).toBeCloseTo(sum(dispatches.map(({ rooflineMs }) => rooflineMs)) / ms, 9);
  expect(speedUp).toBeCloseTo(before!.measured!.timeMs / ms, 9);
});

test('a dispatch of no layer stands by itself, at the end', () => {
  const [first, ...others] = own.layers!.dispatches;
  const stray: BenchResult = { ...own, layers: { ...own.layers!, dispatches: [{ ...first, layer: 'input' }, ...others] } };
  const last = pairLayers(undefined, stray).at(-1)!;
  expect(last).toMatchObject({
    name: BETWEEN_LAYERS,
    own: { macs: first.macs, measured: { dispatches: 1, timeMs: first.timeMs.median } },
  });
  expect(last).not.toHaveProperty('plain');
  expect(last).not.toHaveProperty('layer');
});

test('without measured layers there are costs and nothing else', () => {
  const bare = ({ layers: _, ...network }: BenchResult) => network;
  for (const { plain: before, own: after, ...pair } of pairLayers(bare(plain), bare(own))) {
    expect(before).not.toHaveProperty('measured');
    expect(after).not.toHaveProperty('measured');
    expect(pair).not.toHaveProperty('speedUp');
  }
});

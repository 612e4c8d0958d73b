/** The channel arithmetic of CompConv: widths, feasibility, adaptive depth; the spec's numbers, and properties. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { show } from '../../src/errors.ts';
import {
  adaptiveDepth,
  checkDepth,
  compConvChannels,
  deepestFeasibleDepth,
  depthProblem,
  MAX_DEPTH,
  type ReplacedConv,
} from '../../src/ops/comp-conv-channels.ts';
import { CompConvError } from '../../src/errors.ts';

function conv(inChannels: number, outChannels: number, kernelSize = 3, padding = (kernelSize - 1) / 2): ReplacedConv {
  return { inChannels, outChannels, kernelSize, padding };
}
const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);

describe('compConvChannels', () => {
  it('512 at d=3: c = 37, parts 37 37 74 74 142 148', () => {
    expect(compConvChannels(512, 3)).toEqual({
      primitive: 37,
      widths: [148, 74, 37],
      tail: 142,
      identity: [[111, 111], [37, 111], [0, 37]],
    });
  });

  it.each([
    [22, 1, 11, 11],
    [21, 1, 11, 10],
    [64, 2, 11, 20],
    [64, 3, 5, 14],
    [70, 3, 5, 20],
    [57, 3, 5, 7],
  ])('%d at d=%d: c = %d, t = %d', (outChannels, depth, primitive, tail) => {
    expect(compConvChannels(outChannels, depth)).toMatchObject({ primitive, tail });
  });

  it('costs 17.7 % of plain for 512 -> 512 at d=3, and its primitive is 7 to 8 % of the output', () => {
    const { primitive: c, tail } = compConvChannels(512, 3);
    expect((512 * c + (2 * c) ** 2 + (4 * c) ** 2 + tail) / (512 * 512)).toBeCloseTo(0.177, 3);
    for (const outChannels of [128, 256, 512, 1024, 2048]) {
      const share = compConvChannels(outChannels, 3).primitive / outChannels;
      expect(share).toBeGreaterThan(0.07);
      expect(share).toBeLessThan(0.08);
    }
  });

  it('for every feasible module: parts add up to C_out, 1 <= t <= c_0, slices follow one another in C_in', () => {
    const channels = fc.integer({ min: 1, max: 4096 });
    fc.assert(
      fc.property(channels, channels, fc.integer({ min: 1, max: MAX_DEPTH }), (inChannels, outChannels, depth) => {
        fc.pre(depthProblem(conv(inChannels, outChannels), depth) === undefined);
        const { primitive, widths, tail, identity } = compConvChannels(outChannels, depth);
        // X_B of every level, X_A of every level but 0, and the tail for X_A[0].
        expect(sum(widths) + sum(widths.slice(1)) + tail).toBe(outChannels);
        expect(tail).toBeGreaterThanOrEqual(1);
        expect(tail).toBeLessThanOrEqual(widths[0]);
        expect(widths.at(-1)).toBe(primitive);
        for (let i = 1; i < depth; i++) expect(widths[i - 1]).toBe(2 * widths[i]);
        // From the deepest level up.
        let taken = 0;
        for (let i = depth - 1; i >= 1; i--) {
          expect(identity[i]).toEqual([taken, taken + widths[i]]);
          taken += widths[i];
        }
        expect(taken).toBeLessThanOrEqual(inChannels);
      }),
    );
  });
});

describe('feasible depths', () => {
  it('needs at least one tailing channel', () => {
    // d = 3 with C_out = 10: c = 1, parts 1 1 2 2 t 4 add up to 10 without t. 11 leaves one.
    expect(depthProblem(conv(16, 10), 3)).toBe('leaves none of the 10 output channels for its tail, which needs at least 1');
    expect(depthProblem(conv(16, 11), 3)).toBeUndefined();
    expect(compConvChannels(11, 3).tail).toBe(1);
    expect(depthProblem(conv(16, 1), 1)).toMatch(/leaves none of the 1 output channels/);
    expect(depthProblem(conv(16, 2), 1)).toBeUndefined();
  });

  it('needs the input channels of its identity slices', () => {
    // d = 3 with C_out = 98: c = 7, slices of 7 + 14 channels.
    expect(depthProblem(conv(20, 98), 3)).toBe('needs 21 input channels for its identity slices, got 20');
    expect(depthProblem(conv(21, 98), 3)).toBeUndefined();
    // d = 2 with C_out = 42: c = 7.
    expect(depthProblem(conv(6, 42), 2)).toMatch(/needs 7 input channels/);
    expect(depthProblem(conv(7, 42), 2)).toBeUndefined();
    // d = 1 slices nothing.
    expect(depthProblem(conv(1, 4096), 1)).toBeUndefined();
  });

  it('needs an odd kernel, and from depth 2 on the "same" padding', () => {
    expect(depthProblem(conv(16, 24, 2, 1), 1)).toMatch(/needs an odd kernel size/);
    expect(depthProblem(conv(16, 24, 2, 1), 0)).toBeUndefined();
    expect(depthProblem(conv(16, 24, 3, 0), 1)).toBeUndefined();
    expect(depthProblem(conv(16, 24, 3, 0), 2)).toMatch(/needs padding 1 so that its identity slices line up, got 0/);
    expect(deepestFeasibleDepth(conv(16, 24, 3, 0))).toBe(1);
    expect(deepestFeasibleDepth(conv(16, 24, 4, 1))).toBe(0);
  });

  it('says the place, the rule and the deepest feasible depth', () => {
    const failure = (c: ReplacedConv, depth: unknown) => {
      try {
        checkDepth(c, depth, 'layer3.0.conv2');
      } catch (error) {
        return error as CompConvError;
      }
      throw new Error('checkDepth accepted it');
    };
    expect(failure(conv(16, 98), 3)).toMatchObject({
      code: 'invalid-graph',
      message:
        'layer3.0.conv2: depth 3 needs 21 input channels for its identity slices, got 16; ' +
        'the deepest feasible depth is 1',
    });
    expect(failure(conv(17, 98), 3).message).toMatch(/got 17; the deepest feasible depth is 2$/);
    expect(failure(conv(16, 1), 1).message).toMatch(/; the deepest feasible depth is 0$/);
    for (const depth of [-1, 4, 1.5, NaN, '2', null, undefined]) {
      const { message } = failure(conv(16, 24), depth);
      expect(message).toBe(`layer3.0.conv2: depth must be an integer from 0 to 3, got ${show(depth)}`);
    }
  });

  it('a depth that is accepted is a depth that has no problem, for all', () => {
    const channels = fc.integer({ min: 1, max: 300 });
    const kernelSize = fc.constantFrom(1, 2, 3, 5);
    fc.assert(
      fc.property(channels, channels, kernelSize, fc.integer({ min: 0, max: 3 }), (inC, outC, k, padding) => {
        const c = conv(inC, outC, k, padding);
        const deepest = deepestFeasibleDepth(c);
        expect(depthProblem(c, deepest)).toBeUndefined();
        for (let depth = deepest + 1; depth <= MAX_DEPTH; depth++) expect(depthProblem(c, depth)).toBeDefined();
      }),
    );
  });
});

describe('adaptiveDepth', () => {
  it.each([32, 64, 128, 256, 512])('C_0 = %d: one deeper from C_in = 2 C_0 and from 4 C_0 on', (c0) => {
    const depths = (inChannels: number) => adaptiveDepth(conv(inChannels, 512), c0);
    // Wide enough for the identity slices of 512 outputs from 128 on; below, feasibility may lower it.
    expect([c0 - 1, c0, c0 + 1].map((c) => depths(c))).toEqual([1, 1, 1]);
    if (2 * c0 - 1 >= 128) expect([2 * c0 - 1, 2 * c0, 2 * c0 + 1].map((c) => depths(c))).toEqual([1, 2, 2]);
    expect([4 * c0 - 1, 4 * c0, 4 * c0 + 1].map((c) => depths(c))).toEqual([2, 3, 3]);
    expect(depths(64 * c0)).toBe(3);
  });

  it('is at least 1 however small C_in is', () => {
    expect(adaptiveDepth(conv(3, 64, 7), 128)).toBe(1);
  });

  it('takes a C_0 that is no integer', () => {
    expect(adaptiveDepth(conv(255, 256), 127.5)).toBe(2);
    expect(adaptiveDepth(conv(254, 256), 127.5)).toBe(1);
    expect(adaptiveDepth(conv(64, 64), 0.001)).toBe(3);
    expect(adaptiveDepth(conv(4096, 64), 1e300)).toBe(1);
  });

  it('is lowered to the deepest feasible depth', () => {
    // ResNet50 layer1.0.conv3 with C_0 = 16: 64 / 16 = 4 asks for d = 3, whose slices of 256 outputs take 3 * 19 = 57.
    expect(adaptiveDepth(conv(64, 256, 1), 16)).toBe(3);
    // 64 -> 512: d = 3 takes 3 * 37 = 111 input channels, d = 2 takes 86, d = 1 none.
    expect(adaptiveDepth(conv(64, 512, 1), 16)).toBe(1);
    expect(adaptiveDepth(conv(1024, 1), 128)).toBe(0);
  });

  it('is the formula of the spec, lowered, for all', () => {
    const channels = fc.integer({ min: 1, max: 4096 });
    // Quarters, so that the logarithm's rounding cannot take C_in / C_0 across a power of two.
    const quarters = fc.integer({ min: 1, max: 20_000 }).map((n) => n / 4);
    fc.assert(
      fc.property(channels, channels, quarters, (inChannels, outChannels, c0) => {
        const c = conv(inChannels, outChannels);
        const formula = Math.min(Math.floor(Math.log2(Math.max(1, inChannels / c0))) + 1, 3);
        const depth = adaptiveDepth(c, c0);
        expect(depth).toBe(deepestFeasibleDepth(c, formula));
        expect(depthProblem(c, depth)).toBeUndefined();
      }),
    );
  });
});

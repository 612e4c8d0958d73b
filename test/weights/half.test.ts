/** Half-precision conversions, exhaustively against formulas that share nothing with the bit code. */
import { describe, expect, test } from 'vitest';
import fc from 'fast-check';
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from '../../src/weights/half.ts';

const ALL = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** The value of a 16-bit float by the definition: sign, exponent, mantissa. */
function valueOf(bits: number, exponentBits: number): number {
  const mantissaBits = 15 - exponentBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = bits >= 0x8000 ? -1 : 1;
  const exponent = Math.floor(bits / 2 ** mantissaBits) % 2 ** exponentBits;
  const fraction = (bits % 2 ** mantissaBits) / 2 ** mantissaBits;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  return exponent === 0 ? sign * fraction * 2 ** (1 - bias) : sign * (1 + fraction) * 2 ** (exponent - bias);
}

/** The nearest 16-bit float by search among all of them, ties to the even pattern. */
function nearest(value: number, exponentBits: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const target = Math.abs(value);
  const infinity = (2 ** exponentBits - 1) * 2 ** (15 - exponentBits);
  // What infinity stands for in rounding: the value that would follow the largest finite one.
  const beyond = 2 ** (2 ** (exponentBits - 1));
  const at = (bits: number): number => (bits === infinity ? beyond : valueOf(bits, exponentBits));
  let low = 0;
  let high = infinity;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (at(middle) <= target) low = middle;
    else high = middle;
  }
  const below = target - at(low);
  const above = at(high) - target;
  return sign + (below < above || (below === above && low % 2 === 0) ? low : high);
}

const FORMATS = [
  { name: 'f16', exponentBits: 5, widen: f16ToF32, narrow: f32ToF16 },
  { name: 'bf16', exponentBits: 8, widen: bf16ToF32, narrow: f32ToBf16 },
];

describe.each(FORMATS)('$name', ({ exponentBits, widen, narrow }) => {
  test('widens all 65536 patterns exactly', () => {
    const values = widen(ALL);
    const wrong = [...ALL].filter((bits) => !Object.is(values[bits], valueOf(bits, exponentBits)));
    expect(wrong).toEqual([]);
  });

  test('narrowing undoes widening for all 65536 patterns, NaN payloads included', () => {
    expect(narrow(widen(ALL))).toEqual(ALL);
  });

  test('narrows every midpoint between neighbours, and what lies next to it, to the nearest, ties to even', () => {
    const values: number[] = [];
    const one = new Float32Array(1);
    const bits = new Uint32Array(one.buffer);
    for (let pattern = 0; pattern < (2 ** exponentBits - 1) * 2 ** (15 - exponentBits) - 1; pattern++) {
      one[0] = (valueOf(pattern, exponentBits) + valueOf(pattern + 1, exponentBits)) / 2;
      for (const step of [-1, 1, 1]) values.push(one[0], -one[0], (bits[0] += step, one[0]));
    }
    const narrowed = narrow(Float32Array.from(values));
    const wrong = values.filter((value, i) => narrowed[i] !== nearest(value, exponentBits));
    expect(wrong).toEqual([]);
  });

  test('narrows any float32 to the nearest', () => {
    const float = fc.float({ noNaN: true });
    fc.assert(fc.property(float, (value) => narrow(Float32Array.of(value))[0] === nearest(value, exponentBits)), {
      numRuns: 2000,
    });
  });

  test('keeps any NaN a NaN', () => {
    const payload = fc.tuple(fc.integer({ min: 1, max: 0x7fffff }), fc.boolean());
    fc.assert(
      fc.property(payload, ([mantissa, negative]) => {
        const bits = Uint32Array.of((negative ? 0xff800000 : 0x7f800000) + mantissa);
        return Number.isNaN(widen(narrow(new Float32Array(bits.buffer)))[0]);
      }),
    );
  });
});

test('f16 at the ends of its range', () => {
  const tie = 2 ** -25;
  const values = [65504, 65519.996, 65520, -65520, 2 ** -24, tie, tie * (1 + 2 ** -23), 2 ** -149, -0, Infinity];
  const bits = [0x7bff, 0x7bff, 0x7c00, 0xfc00, 1, 0, 1, 0, 0x8000, 0x7c00];
  expect([...f32ToF16(Float32Array.from(values))]).toEqual(bits);
});

test('a view into a larger buffer is read from its own start', () => {
  const values = Float32Array.of(9, 1, 2).subarray(1);
  expect([...f32ToF16(values)]).toEqual([0x3c00, 0x4000]);
  expect([...f32ToBf16(values)]).toEqual([0x3f80, 0x4000]);
  expect([...f16ToF32(Uint16Array.of(0, 0x3c00).subarray(1))]).toEqual([1]);
  expect([...bf16ToF32(Uint16Array.of(0, 0x3f80).subarray(1))]).toEqual([1]);
});

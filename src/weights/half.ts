/**
 * 16-bit floats in bits, to and from float32: IEEE binary16 (`f16`) and bfloat16 (`bf16`).
 *
 * The idea: work on the bit patterns of whole arrays, no lookup tables. Widening is exact for every pattern; narrowing
 * rounds to nearest, ties to even. It does not know about byte order or files: elements are in the host's order.
 */

/**
 * Widens binary16 bit patterns; exact, with subnormals, signed zeros, infinities and the payload of NaNs.
 * @returns as many values as `bits` has elements
 */
export function f16ToF32(bits: Uint16Array): Float32Array {
  const values = new Float32Array(bits.length);
  const out = new Uint32Array(values.buffer);
  for (let i = 0; i < bits.length; i++) {
    const h = bits[i];
    const sign = (h & 0x8000) << 16;
    const magnitude = h & 0x7fff;
    if (magnitude >= 0x7c00) {
      out[i] = sign | 0x7f800000 | (magnitude << 13);
    } else if (magnitude >= 0x0400) {
      // Normal: the exponent's bias grows from 15 to 127.
      out[i] = sign | ((magnitude << 13) + ((127 - 15) << 23));
    } else {
      // Subnormal or zero: a multiple of 2^-24, which float32 holds as a normal number. -0 needs the sign bit.
      values[i] = magnitude * 2 ** -24;
      out[i] |= sign;
    }
  }
  return values;
}

/**
 * Narrows to binary16 bit patterns: nearest, ties to even; 65520 and above become infinity. A NaN stays a NaN and keeps
 * the top ten bits of its payload, so that `f32ToF16(f16ToF32(x))` is `x` for all 65,536 patterns.
 */
export function f32ToF16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) {
    const sign = (bits[i] >>> 16) & 0x8000;
    const magnitude = bits[i] & 0x7fffffff;
    let half: number;
    if (magnitude > 0x7f800000) {
      half = 0x7c00 | ((magnitude >>> 13) & 0x3ff || 0x200);
    } else if (magnitude >= 0x477ff000) {
      half = 0x7c00;
    } else if (magnitude >= 0x38800000) {
      // Adding just under half a unit, or exactly half where the kept part is odd, makes the cut round to even.
      half = (magnitude - ((127 - 15) << 23) + 0xfff + ((magnitude >>> 13) & 1)) >>> 13;
    } else {
      // Below 2^-14: count units of 2^-24. A shift above 24 leaves less than half a unit.
      const shift = 126 - (magnitude >>> 23);
      const mantissa = (magnitude & 0x7fffff) | 0x800000;
      half = shift > 24 ? 0 : (mantissa + (1 << (shift - 1)) - 1 + ((mantissa >>> shift) & 1)) >>> shift;
    }
    out[i] = sign | half;
  }
  return out;
}

/** Widens bfloat16 bit patterns: they are the upper halves of float32; exact. */
export function bf16ToF32(bits: Uint16Array): Float32Array {
  const out = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) out[i] = bits[i] << 16;
  return new Float32Array(out.buffer);
}

/** Narrows to bfloat16 bit patterns: nearest, ties to even; a NaN stays one and keeps the payload's top bits. */
export function f32ToBf16(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const out = new Uint16Array(values.length);
  for (let i = 0; i < out.length; i++) {
    const b = bits[i];
    if ((b & 0x7fffffff) > 0x7f800000) {
      // A payload only in the lower half would be cut to that of infinity.
      out[i] = (b >>> 16) | ((b >>> 16) & 0x7f ? 0 : 0x40);
    } else {
      out[i] = (b + 0x7fff + ((b >>> 16) & 1)) >>> 16;
    }
  }
  return out;
}

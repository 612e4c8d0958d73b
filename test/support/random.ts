/** Seeded values for tests: the same on every run and every machine. */

/** Numbers in [0, 1) from a 32-bit seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * `count` values in (-1, 1), no two alike, shuffled: swapped, missing or repeated elements cannot go unnoticed. Spaced
 * unevenly, so that no value is minus another either. At most 2^20, where float32 can still tell them apart.
 */
export function distinctValues(count: number, seed: number): Float32Array {
  if (!(count <= 2 ** 20)) throw new RangeError(`distinctValues: at most 2^20, got ${count}`);
  const random = seededRandom(seed);
  const values = Float32Array.from({ length: count }, (_, i) => (2 * (i + 0.25 + 0.5 * random())) / count - 1);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [values[i], values[j]] = [values[j], values[i]];
  }
  return values;
}

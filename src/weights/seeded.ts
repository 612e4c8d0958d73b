/**
 * Made-up weights, for benchmarks and tests that need a network's shapes and tame activations, not its training.
 *
 * The idea: element `i` of a tensor is a hash of (seed, name, i) in 32-bit integer arithmetic, scaled by correctly
 * rounded operations only, so that any order of `get`, any JavaScript engine and a NumPy port give the same bits. It is
 * no source of randomness for anything else, and it does not imitate a trained network.
 */
import { CompConvError } from '../errors.ts';
import { elementCount, formatShape } from '../tensor/tensor.ts';
import type { Weights } from './weights.ts';

const GOLDEN = 0x9e3779b9;

/**
 * Weights for `shapes`, made on demand; `get` makes a fresh array each time. Uniform, by the last part of the name:
 *
 * - `running_var`: 0.5 to 1.5
 * - `running_mean` and `bias`: -0.1 to 0.1
 * - `weight` of one dimension, the scale of a BatchNorm: 0.5 to 1
 * - any other `weight`: -b to b, where b = sqrt(6 / fanIn), and fanIn is the product of all sizes but the first
 *
 * @param shapes names and shapes as of a `state_dict`
 * @param seed an integer in [0, 2^32)
 * @throws invalid-argument for a bad seed, or a name or rank that none of these is.
 */
export function seededWeights(shapes: ReadonlyMap<string, readonly number[]>, seed: number): Weights {
  checkSeed(seed);
  const ranges = new Map([...shapes].map(([name, shape]) => [name, { shape, range: rangeOf(name, shape) }]));
  return {
    shapes: new Map(shapes),
    get(name) {
      const entry = ranges.get(name);
      if (!entry) throw new CompConvError('invalid-argument', `seededWeights: there is no tensor "${name}"`);
      const { shape, range } = entry;
      return { shape, data: seededUniform(seed, name, elementCount(shape), ...range) };
    },
  };
}

/**
 * `count` float32 values, uniform in [low, high) up to rounding, that depend on (seed, name, index) alone.
 *
 * In unsigned 32-bit arithmetic, with `mix` below and `hash` the FNV-1a of the name's UTF-8 bytes:
 *
 *     k0 = mix(hash ^ mix(seed))      k1 = mix(k0 + 0x9e3779b9)
 *     x  = k0 + 0x9e3779b9 * index
 *     x  = (x ^ x >>> 16) * 0x21f0aaad;   x = (x ^ x >>> 15 ^ k1) * 0x735a2d97;   x = x ^ x >>> 15
 *     value = float32(low + (x >>> 8) * ((high - low) / 2^24))       the right-hand side in float64
 *
 * The second key keeps tensors apart whose counters x overlap. The constants of `mix` are those of a search for hashes
 * of little bias, https://github.com/skeeto/hash-prospector/issues/19.
 * @throws invalid-argument for a seed that is no integer in [0, 2^32).
 */
export function seededUniform(seed: number, name: string, count: number, low: number, high: number): Float32Array<ArrayBuffer> {
  checkSeed(seed);
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  const k0 = mix(hash ^ mix(seed));
  const k1 = mix(k0 + GOLDEN);
  const scale = (high - low) / 2 ** 24;
  const values = new Float32Array(count);
  let counter = k0 | 0;
  for (let i = 0; i < count; i++) {
    let x = counter;
    x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
    x = Math.imul(x ^ (x >>> 15) ^ k1, 0x735a2d97);
    x ^= x >>> 15;
    values[i] = low + (x >>> 8) * scale;
    counter = (counter + GOLDEN) | 0;
  }
  return values;
}

function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
}

function rangeOf(name: string, shape: readonly number[]): readonly [low: number, high: number] {
  const kind = name.slice(name.lastIndexOf('.') + 1);
  if (kind === 'running_var') return [0.5, 1.5];
  if (kind === 'running_mean' || kind === 'bias') return [-0.1, 0.1];
  if (kind === 'weight' && shape.length === 1) return [0.5, 1];
  if (kind === 'weight' && shape.length >= 2) {
    const bound = Math.sqrt(6 / elementCount(shape.slice(1)));
    return [-bound, bound];
  }
  throw new CompConvError(
    'invalid-argument',
    `seededWeights: no distribution for "${name}" ${formatShape(shape)}; ` +
      'names must end in weight (1-D and up), bias, running_mean or running_var',
  );
}

function checkSeed(seed: number): void {
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new CompConvError('invalid-argument', `seed must be an integer from 0 to 2^32 - 1, got ${seed}`);
  }
}

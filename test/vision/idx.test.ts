/** IDX files and gzip: every rule of the format. Hostile bytes by property: test/fuzz. */
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { CompConvError } from '../../src/errors.ts';
import { gunzip, parseIdx } from '../../src/vision/idx.ts';

function idx(shape: readonly number[], data: Uint8Array, magic = 0x0800 + shape.length): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, magic);
  shape.forEach((size, i) => view.setUint32(4 + 4 * i, size));
  bytes.set(data, 4 + 4 * shape.length);
  return bytes;
}

function errorOf(action: () => unknown): CompConvError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(CompConvError);
    return error as CompConvError;
  }
  throw new Error('expected an error');
}

describe('parseIdx', () => {
  test.each([[[3]], [[2, 3]], [[2, 3, 4]], [[2, 3, 4, 5]], [[0]], [[7, 0, 9]]])('reads shape %j', (shape) => {
    const data = Uint8Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => i * 7 + 1);
    expect(parseIdx(idx(shape, data))).toEqual({ shape, data });
  });

  test('reads a view into a larger buffer', () => {
    const whole = Uint8Array.of(9, 9, 9, ...idx([2], Uint8Array.of(5, 6)), 9);
    expect([...parseIdx(whole.subarray(3, -1)).data]).toEqual([5, 6]);
  });

  const cases: [string, Uint8Array, RegExp][] = [
    ['no bytes', new Uint8Array(0), /has 0 bytes/],
    ['3 bytes', new Uint8Array(3), /has 3 bytes/],
    ['another type of element', idx([1], new Uint8Array(4), 0x0d01), /magic number is 0x00000d01/],
    ['another magic number', idx([1], new Uint8Array(1), 0xff000801), /magic number is 0xff000801/],
    ['a gzipped file', Uint8Array.of(0x1f, 0x8b, 8, 0, 0), /gzipped/],
    ['rank 0', idx([], new Uint8Array(1)), /rank 0/],
    ['rank 5', idx([1, 1, 1, 1, 1], new Uint8Array(1)), /rank 5/],
    ['rank 255', idx([1], new Uint8Array(1), 0x08ff), /rank 255/],
    ['an unfinished header', idx([1, 1], new Uint8Array(0), 0x0803), /fewer than the 16/],
    ['missing data', idx([2, 2], new Uint8Array(3)), /need 4 bytes of data, but 3 follow/],
    ['too much data', idx([2, 2], new Uint8Array(5)), /need 4 bytes of data, but 5 follow/],
    ['sizes beyond any memory', idx(Array<number>(4).fill(2 ** 32 - 1), new Uint8Array(1)), /need 3\.4/],
    ['sizes that are 0 mod 2^64', idx([2 ** 31, 2 ** 31, 4], new Uint8Array(0)), /need 18446744073709552000/],
  ];
  test.each(cases)('rejects %s', (_, bytes, message) => {
    const error = errorOf(() => parseIdx(bytes));
    expect(error.code).toBe('invalid-file');
    expect(error.message).toMatch(message);
  });
});

describe('gunzip', () => {
  const text = new TextEncoder().encode('fashion '.repeat(2000));

  async function rejection(bytes: Uint8Array, maxBytes?: number): Promise<CompConvError> {
    const error: unknown = await gunzip(bytes, { maxBytes }).then(() => undefined, (cause: unknown) => cause);
    expect(error).toBeInstanceOf(CompConvError);
    return error as CompConvError;
  }

  test('unpacks', async () => {
    expect(await gunzip(gzipSync(text))).toEqual(text);
    expect(await gunzip(gzipSync(new Uint8Array(0)))).toEqual(new Uint8Array(0));
  });

  test('unpacks what spans many slices, and leaves the input alone', async () => {
    const data = Uint8Array.from({ length: 300_000 }, (_, i) => Math.imul(i, 0x9e3779b1) >>> 24);
    const packed = Uint8Array.from(gzipSync(data, { level: 0 }));
    const before = packed.slice();
    // Buffers: to compare this many elements one by one takes a second.
    expect(Buffer.from(await gunzip(packed)).equals(data)).toBe(true);
    expect(Buffer.from(packed).equals(before)).toBe(true);
  });

  test('returns what is not gzipped as it is', async () => {
    for (const bytes of [new Uint8Array(0), Uint8Array.of(0x1f), Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 0)]) {
      expect(await gunzip(bytes)).toBe(bytes);
    }
  });

  test('stops at the cap', async () => {
    expect(await gunzip(gzipSync(text), { maxBytes: text.length })).toEqual(text);
    const error = await rejection(gzipSync(text), text.length - 1);
    expect(error.code).toBe('invalid-file');
    expect(error.message).toContain(`more than ${text.length - 1} bytes`);
  });

  test('stops a bomb early', async () => {
    const start = performance.now();
    expect((await rejection(gzipSync(new Uint8Array(2 ** 27), { level: 1 }), 1000)).code).toBe('invalid-file');
    expect(performance.now() - start).toBeLessThan(5000);
  });

  test.each([NaN, -1])('refuses the cap %d', async (maxBytes) => {
    expect((await rejection(gzipSync(text), maxBytes)).code).toBe('invalid-argument');
  });

  test('rejects a file cut off anywhere', async () => {
    const packed = gzipSync(Uint8Array.from({ length: 40 }, (_, i) => i * 37));
    for (let length = 2; length < packed.length; length++) {
      expect((await rejection(packed.subarray(0, length))).code).toBe('invalid-file');
    }
  });

  test('rejects a wrong checksum and a wrong length', async () => {
    for (const fromEnd of [8, 4]) {
      const packed = Uint8Array.from(gzipSync(text));
      packed[packed.length - fromEnd] ^= 1;
      expect((await rejection(packed)).code).toBe('invalid-file');
    }
  });
});

/** IDX files, packed or not: refused, or exactly what they declare; gzip as zlib itself unpacks it. */
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { gunzip, parseIdx } from '../../../src/vision/idx.ts';
import { damaged, damages, joined } from '../mutations.ts';
import { mustEqual, outcomeOf } from '../outcome.ts';
import { defineTarget } from '../target.ts';

const size = fc.oneof({ weight: 5, arbitrary: fc.nat(5) }, fc.constantFrom(2 ** 16, 2 ** 31, 2 ** 32 - 1));
const file = fc.record({
  shape: fc.array(size, { maxLength: 5 }),
  magic: fc.oneof({ weight: 9, arbitrary: fc.constant(0x0800) }, fc.constantFrom(0x0900, 0x0d00, 0x1f8b0800)),
  /** Of data, beyond what the shape declares. */
  surplus: fc.oneof({ weight: 9, arbitrary: fc.constant(0) }, fc.integer({ min: -3, max: 3 })),
  damages,
});
type FilePlan = typeof file extends fc.Arbitrary<infer T> ? T : never;

function build({ shape, magic, surplus, damages }: FilePlan): Uint8Array<ArrayBuffer> {
  const header = Buffer.alloc(4 + 4 * shape.length);
  [magic + shape.length, ...shape].forEach((number, i) => header.writeUInt32BE(number, 4 * i));
  const count = shape.reduce((product, size) => product * size, 1);
  const data = Uint8Array.from({ length: Math.max(0, Math.min(count, 1000) + surplus) }, (_, i) => (i * 37) & 255);
  return damaged(joined(header, data), damages);
}

export const idx = defineTarget('idx', 1500, file, async (plan) => {
  const bytes = build(plan);
  const { value } = await outcomeOf(['invalid-file'], () => parseIdx(bytes));
  const rank = bytes[3];
  const declared = Array.from({ length: bytes.length >= 4 + 4 * rank ? rank : 0 }, (_, i) => Buffer.from(bytes).readUInt32BE(4 + 4 * i));
  const isGood =
    Buffer.compare(bytes.subarray(0, 3), Uint8Array.of(0, 0, 8)) === 0 &&
    rank >= 1 &&
    rank <= 4 &&
    declared.length === rank &&
    declared.reduce((product, size) => product * BigInt(size), 1n) === BigInt(bytes.length - 4 - 4 * rank);
  mustEqual(value, isGood ? { shape: declared, data: bytes.subarray(4 + 4 * rank) } : undefined, 'IDX');
});

const packed = fc.record({ file, level: fc.constantFrom(0, 1, 9), packedTwice: fc.boolean(), damages, maxBytes: fc.constantFrom(0, 10, 300, undefined) });

export const gzip = defineTarget('gzip', 300, packed, async ({ file, level, packedTwice, damages, maxBytes }) => {
  const plain = build(file);
  const once = gzipSync(plain, { level });
  const bytes = damaged(packedTwice ? joined(once, once) : once, damages);
  const { value, error } = await outcomeOf(['invalid-file'], () => gunzip(bytes, maxBytes === undefined ? {} : { maxBytes }));
  let expected: Uint8Array | undefined;
  try {
    expected = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
  } catch {
    expected = undefined;
  }
  if (value) mustEqual(Buffer.from(value), expected && Buffer.from(expected), 'unpacked');
  else if (expected && expected.length <= (maxBytes ?? Infinity)) throw new Error(`refused, but zlib unpacks it: ${error?.message}`);
});

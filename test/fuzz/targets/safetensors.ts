/** Safetensors: what is written is read back, and any other file is refused, or read as the oracle does, by both readers alike. */
import fc from 'fast-check';
import { blobSource, urlSource } from '../../../src/bytes/byte-source.ts';
import { elementCount, tensor, type Tensor } from '../../../src/tensor/tensor.ts';
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from '../../../src/weights/half.ts';
import { parseSafetensors, type SafetensorsFile } from '../../../src/weights/safetensors.ts';
import { writeSafetensors } from '../../../src/weights/write-safetensors.ts';
import { openSafetensors } from '../../../src/weights/safetensors-source.ts';
import { distinctValues } from '../../support/random.ts';
import { chunkSizes, damaged, damages, editedJson, inChunks, joined, jsonEdits } from '../mutations.ts';
import { mustEqual, outcomeOf, type Outcome } from '../outcome.ts';
import { readByTheBook, type OracleFile } from '../safetensors-oracle.ts';
import { defineTarget } from '../target.ts';

const SPECIAL = ['__proto__', 'constructor', 'toString', '0', '17', 'conv1.weight', '"\\\n', '\0', 'é\u{1f600}'];
const name = fc
  .oneof(fc.string({ unit: 'grapheme', maxLength: 12 }), fc.string({ unit: 'binary', maxLength: 6 }), fc.constantFrom(...SPECIAL))
  .filter((text) => text !== '__metadata__');
const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 5 });
const metadata = fc.array(fc.tuple(name, fc.string({ unit: 'binary', maxLength: 20 })), { maxLength: 3 }).map((pairs) => Object.fromEntries(pairs));

/** A file in pieces, each to be damaged in its own way, and how it arrives. */
export const file = fc.record({
  tensors: fc.uniqueArray(fc.record({ name, shape, dtype: fc.constantFrom('F32', 'F32', 'F16', 'BF16', 'U8', 'I64', 'F4', 'F6_E2M3') }), {
    selector: ({ name }) => name,
    maxLength: 5,
  }),
  metadata: fc.option(metadata, { nil: undefined }),
  /** Of the values, which are any bits there are. */
  seed: fc.nat(),
  /** Tensors that are not where they should be: over others, or with a hole before them. */
  shifts: fc.oneof({ weight: 3, arbitrary: fc.constant<number[]>([]) }, fc.array(fc.integer({ min: -8, max: 8 }), { maxLength: 5 })),
  edits: fc.oneof({ weight: 1, arbitrary: fc.constant([]) }, jsonEdits),
  spaces: fc.nat(9),
  /** On what the header's length claims. */
  claim: fc.oneof({ weight: 9, arbitrary: fc.constant(0n) }, fc.constantFrom(-1n, 1n, 8n, 1000n, 99_000_000n, 2n ** 53n, 2n ** 63n)),
  damages: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, damages),
  isHeaderDamaged: fc.boolean(),
  chunks: chunkSizes,
  /** Whether it is known how long it is before it ends. */
  isLengthKnown: fc.boolean(),
  isBlob: fc.boolean(),
});
type FilePlan = typeof file extends fc.Arbitrary<infer T> ? T : never;

const BITS: Readonly<Record<string, number>> = { F32: 32, F16: 16, BF16: 16, U8: 8, I64: 64, F4: 4, F6_E2M3: 6 };

export function build({ tensors, metadata, seed, shifts, edits, spaces, claim, damages, isHeaderDamaged }: FilePlan): Uint8Array<ArrayBuffer> {
  let offset = 0;
  const entries = tensors.map(({ name, dtype, shape }, i) => {
    const begin = Math.max(0, offset + (shifts[i] ?? 0));
    offset = begin + Math.ceil((elementCount(shape) * BITS[dtype]) / 8);
    return [name, { dtype, shape, data_offsets: [begin, offset] }] as const;
  });
  const header = Object.fromEntries([...(metadata ? [['__metadata__', metadata] as const] : []), ...entries]);
  const json = new TextEncoder().encode(editedJson(header, edits) + ' '.repeat(spaces));
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt.asUintN(64, BigInt(json.length) + claim), true);
  const data = Uint8Array.from({ length: offset }, (_, i) => Math.imul(i + seed, 0x9e3779b1) >>> 24);
  return damaged(joined(length, json, data), damages, isHeaderDamaged ? 8 + json.length : Infinity);
}

export const safetensors = defineTarget('safetensors', 1000, file, async (plan) => {
  const bytes = build(plan);
  const expected = readByTheBook(bytes);
  const atHand = await outcomeOf(['invalid-file'], () => parseSafetensors(bytes));
  mustEqual(atHand.error?.code, expected ? undefined : 'invalid-file', `a file that is${expected ? '' : ' not'} well-formed`);
  if (expected) await checkFile(atHand.value!, expected);
  await checkStream(plan, bytes, expected);
});

async function checkFile(file: SafetensorsFile, { metadata, tensors }: OracleFile): Promise<void> {
  mustEqual(new Map(file.metadata), metadata, 'metadata');
  mustEqual([...file.shapes.keys()].sort(), [...tensors.keys()].sort(), 'names');
  for (const [name, { dtype }] of tensors) mustEqual(file.dtypes.get(name), dtype, `dtype of ${name}`);
  for (const [name, { values, shape }] of tensors) {
    const got = await outcomeOf(['invalid-weights'], () => file.get(name));
    mustEqual(got.value && asPlain(got.value), values && { shape, values }, name);
  }
}

function asPlain({ shape, data }: Tensor): { shape: readonly number[]; values: number[] } {
  return { shape, values: [...data] };
}

/** However it arrives: the same tensors, in the order of their bytes, and only those asked for. */
async function checkStream({ chunks, isBlob, isLengthKnown, seed }: FilePlan, bytes: Uint8Array<ArrayBuffer>, expected: OracleFile | undefined): Promise<void> {
  const source = isBlob
    ? blobSource(new Blob([bytes]))
    : urlSource('http://localhost/model', {
        fetch: async () => new Response(new Blob(inChunks(bytes, chunks)).stream(), { headers: isLengthKnown ? { 'content-length': String(bytes.length) } : {} }),
      });
  const decodable = [...(expected?.tensors ?? [])].filter(([, { values }]) => values !== undefined);
  // All of them; or, of a good file, some.
  const wanted = new Map(seed % 2 ? decodable : decodable.filter((_, i) => (seed >> i) % 4 < 2));
  const outcome: Outcome<[string, unknown][]> = await outcomeOf(['invalid-file'], async () => {
    const file = await openSafetensors(source);
    const read: [string, unknown][] = [];
    for await (const [name, tensor] of file.read(new Set(wanted.keys()))) read.push([name, asPlain(tensor)]);
    if (expected) mustEqual([new Map(file.metadata), file.byteLength], [expected.metadata, bytes.length], 'what the stream says of itself');
    return read;
  });
  mustEqual(outcome.error?.code, expected ? undefined : 'invalid-file', `a stream that is${expected ? '' : ' not'} well-formed`);
  mustEqual(outcome.value && new Map(outcome.value), expected && new Map([...wanted].map(([name, { shape, values }]) => [name, { shape, values }])), 'streamed tensors');
}

const written = fc.record({
  tensors: fc.uniqueArray(fc.record({ name: fc.oneof({ weight: 20, arbitrary: name }, fc.constantFrom('\ud800', '__metadata__')), shape, seed: fc.nat() }), { maxLength: 6, selector: ({ name }) => name }),
  metadata: fc.option(metadata, { nil: undefined }),
  dtype: fc.constantFrom('F32' as const, 'F16' as const, 'BF16' as const),
});

const ROUNDED = {
  F32: (data: Float32Array) => data,
  F16: (data: Float32Array) => f16ToF32(f32ToF16(data)),
  BF16: (data: Float32Array) => bf16ToF32(f32ToBf16(data)),
};

export const safetensorsWriter = defineTarget('safetensors-writer', 300, written, async ({ tensors, metadata, dtype }) => {
  const list = tensors.map(({ name, shape, seed }): [string, Tensor] => [name, tensor(shape, distinctValues(elementCount(shape), seed))]);
  const { value: bytes, error } = await outcomeOf(['invalid-argument'], () => writeSafetensors(list, metadata, dtype));
  const hasSurrogate = [...list.map(([name]) => name), ...Object.entries(metadata ?? {}).flat()].some((text) => /\p{Surrogate}/u.test(text));
  mustEqual(error !== undefined, hasSurrogate || list.some(([name]) => name === '__metadata__'), 'whether it is refused');
  if (!bytes) return;
  const file = parseSafetensors(bytes);
  mustEqual(new Map(file.metadata), new Map(Object.entries(metadata ?? {})), 'metadata');
  mustEqual([...file.shapes.keys()].sort(), list.map(([name]) => name).sort(), 'names');
  for (const [name, { shape, data }] of list) {
    mustEqual(file.dtypes.get(name), dtype, 'dtype');
    mustEqual(file.get(name), tensor(shape, ROUNDED[dtype](data)), name);
  }
  mustEqual(readByTheBook(bytes)?.tensors.size, list.length, 'tensors, to the oracle');
});

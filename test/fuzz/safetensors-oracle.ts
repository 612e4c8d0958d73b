/**
 * A second reading of safetensors files, rule by rule in the plainest way, to compare the engine's readers with: whether a file is
 * one, and what is in it. It knows nothing of streams, memory or messages, and shares no code with the engine.
 */

export interface OracleTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Undefined for types that are not decoded. */
  readonly values: readonly number[] | undefined;
}

export interface OracleFile {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, OracleTensor>;
}

const BITS: Readonly<Record<string, number>> = {
  ...{ BOOL: 8, U8: 8, I8: 8, U16: 16, I16: 16, U32: 32, I32: 32, U64: 64, I64: 64, F16: 16, BF16: 16, F32: 32, F64: 64, C64: 64 },
  ...{ F4: 4, F6_E2M3: 6, F6_E3M2: 6, F8_E4M3: 8, F8_E5M2: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8 },
};

/** Undefined for what is no safetensors file. */
export function readByTheBook(file: Uint8Array): OracleFile | undefined {
  const bytes = Buffer.from(file);
  if (bytes.length < 8) return undefined;
  const claimed = bytes.readBigUInt64LE();
  if (claimed === 0n || claimed > 100_000_000n || claimed > BigInt(bytes.length - 8)) return undefined;
  const start = 8 + Number(claimed);
  const text = bytes.toString('utf8', 8, start);
  // Decoding invalid UTF-8 does not come back to the same bytes.
  if (text[0] !== '{' || Buffer.compare(Buffer.from(text), bytes.subarray(8, start)) !== 0) return undefined;
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  if (hasKeyTwice(text)) return undefined;

  const tensors = new Map<string, OracleTensor>();
  const ranges: [begin: number, end: number][] = [];
  let metadata = new Map<string, string>();
  for (const [name, value] of Object.entries(header)) {
    if (!isObject(value)) return undefined;
    if (name === '__metadata__') {
      if (!Object.values(value).every((text) => typeof text === 'string')) return undefined;
      metadata = new Map(Object.entries(value as Record<string, string>));
      continue;
    }
    const { dtype, shape, data_offsets: range } = { ...value };
    if (typeof dtype !== 'string' || !Object.hasOwn(BITS, dtype)) return undefined;
    if (!isSizes(shape) || !isSizes(range) || shape.length > 8 || range.length !== 2) return undefined;
    // Exact, but refused at the first step beyond 2^53, as every reader has to.
    let bits = BigInt(BITS[dtype]);
    for (const size of shape) {
      bits *= BigInt(size);
      if (bits > Number.MAX_SAFE_INTEGER) return undefined;
    }
    const [begin, end] = range;
    if (end < begin || bits !== BigInt(end - begin) * 8n || end > bytes.length - start) return undefined;
    ranges.push([begin, end]);
    tensors.set(name, { dtype, shape, values: valuesOf(dtype, bytes.subarray(start + begin, start + end)) });
  }
  ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let covered = 0;
  for (const [begin, end] of ranges) {
    if (begin !== covered) return undefined;
    covered = end;
  }
  return covered === bytes.length - start ? { metadata, tensors } : undefined;
}

/** Whether the header, an entry or the metadata has a key twice. Needs valid JSON. */
function hasKeyTwice(text: string): boolean {
  const open: Set<string>[] = [];
  const tokens = text.match(/"(?:[^"\\]|\\.)*"\s*:?|[{}[\]]/gs) ?? [];
  for (const token of tokens) {
    if (token === '{' || token === '[') open.push(new Set());
    else if (token === '}' || token === ']') open.pop();
    else if (token.endsWith(':') && open.length <= 2) {
      const key = JSON.parse(token.slice(0, -1)) as string;
      if (open.at(-1)!.has(key)) return true;
      open.at(-1)!.add(key);
    }
  }
  return false;
}

function valuesOf(dtype: string, bytes: Buffer): number[] | undefined {
  const each = (size: number, read: (at: number) => number) => Array.from({ length: bytes.length / size }, (_, i) => read(i * size));
  if (dtype === 'F32') return each(4, (at) => bytes.readFloatLE(at));
  if (dtype === 'BF16') return each(2, (at) => new DataView(Uint32Array.of(bytes.readUInt16LE(at) << 16).buffer).getFloat32(0, true));
  if (dtype === 'F16') return each(2, (at) => halfValue(bytes.readUInt16LE(at)));
  return undefined;
}

function halfValue(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0 && !Object.is(size, -0));
}

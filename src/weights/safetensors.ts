/**
 * Reads `.safetensors`: 8 bytes of header length, a JSON header, then the tensors' bytes, little-endian.
 *
 * The idea: the file is hostile until its header is checked as a whole; after that every tensor is a range of bytes
 * that belongs to it alone, decoded when it is asked for. Names live in Maps: `__proto__` is a name like any other.
 *
 * Where the format's description and Hugging Face's reader differ, the stricter one holds: duplicate keys and a header
 * that does not start with `{` are rejected, and so are holes, overlaps and bytes after the last tensor. A tensor at an
 * offset that is no multiple of its element size is accepted, as there, and copied. Stricter than both: at most 8
 * dimensions, tensor entries and metadata as objects only, sizes below 2^53. Looser in one thing: `1.0` is an integer
 * to JSON.parse. Types other than F32, F16 and BF16 are checked but not decoded. Nothing is fetched here; `safetensors-source.ts`
 * reads a file as it arrives, by the same checks.
 */
import { CompConvError, show, withMemory } from '../errors.ts';
import { swapOnBigEndian } from '../tensor/byte-order.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { bf16ToF32, f16ToF32 } from './half.ts';
import type { Weights } from './weights.ts';

/** A `.safetensors` file whose header was checked; its tensors are decoded one by one, when they are asked for. */
export interface SafetensorsFile extends Weights {
  /** The file's `__metadata__`; empty if it has none. */
  readonly metadata: ReadonlyMap<string, string>;
  /** The stored type of every tensor as the format spells it: `F32`, `I64`, ... Same names and order as `shapes`. */
  readonly dtypes: ReadonlyMap<string, string>;
  /**
   * Decodes one tensor to float32. An F32 tensor may alias the file's bytes: do not write to it.
   * @throws invalid-argument for a name that is not in `shapes`; invalid-weights for a type other than F32, F16, BF16;
   * out-of-memory.
   */
  get(name: string): Tensor;
}

export const METADATA = '__metadata__';
export const MAX_HEADER_BYTES = 100_000_000;
export const MAX_DIMENSIONS = 8;

/** Bits per element of every type the format has. */
const DTYPE_BITS: ReadonlyMap<string, number> = new Map([
  ['BOOL', 8], ['U8', 8], ['I8', 8], ['I16', 16], ['U16', 16], ['I32', 32], ['U32', 32], ['I64', 64], ['U64', 64],
  ['F4', 4], ['F6_E2M3', 6], ['F6_E3M2', 6], ['F8_E5M2', 8], ['F8_E4M3', 8], ['F8_E8M0', 8], ['F8_E4M3FNUZ', 8],
  ['F8_E5M2FNUZ', 8], ['F16', 16], ['BF16', 16], ['F32', 32], ['F64', 64], ['C64', 64],
]);

/** A tensor, and the range of the data that belongs to it. */
export interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * Checks a whole file's header; tensors are decoded later, by `get`, and listed in the order of their bytes. The bytes
 * must not change while the result is in use. Takes time linear in the header, n log n in its tensors. The format is described at
 * https://github.com/huggingface/safetensors#format
 * @throws invalid-file for anything but a well-formed file.
 */
export function parseSafetensors(file: Uint8Array): SafetensorsFile {
  // A plain Uint8Array: `slice` of a Node Buffer would not copy.
  const bytes = new Uint8Array(file.buffer, file.byteOffset, file.byteLength);
  const headerLength = readHeaderLength(bytes, bytes.length);
  const data = bytes.subarray(8 + headerLength);
  const { metadata, entries } = parseHeader(bytes.slice(8, 8 + headerLength), data.length);
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  return {
    metadata,
    ...describeEntries(entries),
    get(name) {
      const entry = byName.get(name);
      if (!entry) throw new CompConvError('invalid-argument', `safetensors: the file has no tensor ${show(name)}`);
      return decodeTensor(entry, data.subarray(entry.begin, entry.end));
    },
  };
}

/** What a header says, checked as a whole. */
export interface Header {
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of their bytes, which they share out without a hole. */
  readonly entries: readonly Entry[];
  /** Bytes of data behind the header. */
  readonly dataLength: number;
}

/**
 * Reads and checks the JSON header. @param dataLength bytes behind it; without, those of its tensors, for a file that has not come yet
 * @throws invalid-file
 */
export function parseHeader(bytes: Uint8Array, dataLength?: number): Header {
  const header = parseJson(bytes);
  const entries = Object.entries(header)
    .filter(([name]) => name !== METADATA)
    .map(([name, entry]) => readEntry(name, entry, dataLength ?? Infinity))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  const length = dataLength ?? entries.reduce((most, { end }) => Math.max(most, end), 0);
  checkCoverage(entries, length);
  return { metadata: readMetadata(header), entries, dataLength: length };
}

/** Shapes and types by name. */
export function describeEntries(entries: readonly Entry[]): Pick<SafetensorsFile, 'shapes' | 'dtypes'> {
  return {
    shapes: new Map(entries.map(({ name, shape }) => [name, shape])),
    dtypes: new Map(entries.map(({ name, dtype }) => [name, dtype])),
  };
}

/** A tensor as float32 from its bytes, which F32 may alias. @throws invalid-weights for a type other than F32, F16, BF16; out-of-memory */
export function decodeTensor(entry: Entry, bytes: Uint8Array): Tensor {
  return { shape: entry.shape, data: withMemory(`tensor ${show(entry.name)}`, () => decode(entry, bytes)) };
}

/**
 * Length of the header, from the first 8 bytes of a file. @param fileLength of the whole file, if it is known
 * @throws invalid-file
 */
export function readHeaderLength(bytes: Uint8Array, fileLength?: number): number {
  if (bytes.length < 8) {
    malformed(`the file has ${bytes.length} bytes, fewer than the 8 of the header's length; is it complete?`);
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    malformed(`the header claims ${length} bytes, above the format's 100 MB; ${lookOf(bytes)}`);
  }
  if (length === 0n) malformed('the header claims 0 bytes; is this a .safetensors file?');
  if (fileLength !== undefined && length > BigInt(fileLength - 8)) {
    malformed(`the header claims ${length} bytes, but only ${Math.max(0, fileLength - 8)} follow; is the file complete?`);
  }
  return Number(length);
}

/** What is often in a model's place, by how it begins. */
const LOOKALIKES: readonly (readonly [RegExp, string])[] = [
  [/^\s*</, 'it begins like an HTML page: does the server answer every address with its start page?'],
  [/^(\x89PNG|\xff\xd8|GIF8|RIFF)/, 'it begins like an image'],
  [/^PK/, 'it begins like a ZIP archive, as .pt files of PyTorch do'],
];

function lookOf(bytes: Uint8Array): string {
  const beginning = String.fromCharCode(...bytes.subarray(0, 8));
  return LOOKALIKES.find(([look]) => look.test(beginning))?.[1] ?? 'is this a .safetensors file?';
}

/** Does what reads a file, and puts the file's name before what is wrong with its content. */
export function naming<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CompConvError) || error.code !== 'invalid-file') throw error;
    throw new CompConvError('invalid-file', `${name}: ${error.message}`, { cause: error.cause });
  }
}

function parseJson(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  if (bytes[0] !== 0x7b) {
    malformed(`the header starts with byte ${bytes[0]}, not with "{"; is this a .safetensors file?`);
  }
  let json: string;
  try {
    json = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    return malformed('the header is not valid UTF-8', cause);
  }
  let header: Record<string, unknown>;
  try {
    // Text that starts with "{" is an object or an error.
    header = JSON.parse(json) as Record<string, unknown>;
  } catch (cause) {
    return malformed(`the header is not valid JSON: ${(cause as Error).message}`, cause);
  }
  checkUniqueKeys(json);
  return header;
}

/**
 * JSON.parse keeps the last of several equal keys without a word; the format forbids them. Needs valid JSON. Looks at
 * the header's own keys and those one level below; deeper ones belong to fields that nothing reads.
 */
function checkUniqueKeys(json: string): void {
  const QUOTE = 0x22;
  const BACKSLASH = 0x5c;
  const levels = [new Set<string>(), new Set<string>()];
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const code = json.charCodeAt(i);
    if (code === 0x7b || code === 0x5b) {
      levels[depth]?.clear();
      depth++;
    } else if (code === 0x7d || code === 0x5d) {
      depth--;
    } else if (code === QUOTE) {
      const start = i++;
      let escaped = false;
      for (; json.charCodeAt(i) !== QUOTE; i++) {
        if (json.charCodeAt(i) !== BACKSLASH) continue;
        escaped = true;
        i++;
      }
      const keys = levels[depth - 1];
      if (!keys) continue;
      let next = i + 1;
      while (json.charCodeAt(next) <= 0x20) next++;
      if (json[next] !== ':') continue;
      const key = escaped ? (JSON.parse(json.slice(start, i + 1)) as string) : json.slice(start + 1, i);
      if (keys.has(key)) malformed(`the header has the key ${show(key)} twice`);
      keys.add(key);
    }
  }
}

function readMetadata(header: Readonly<Record<string, unknown>>): Map<string, string> {
  if (!Object.hasOwn(header, METADATA)) return new Map();
  const metadata = header[METADATA];
  if (!isObject(metadata)) return malformed(`${METADATA} must be an object of strings, got ${show(metadata)}`);
  const strings = new Map<string, string>();
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') return malformed(`${METADATA}: ${show(key)} must be a string, got ${show(value)}`);
    strings.set(key, value);
  }
  return strings;
}

function readEntry(name: string, entry: unknown, dataLength: number): Entry {
  const wrong = (problem: string): never => malformed(`tensor ${show(name)}: ${problem}`);
  if (!isObject(entry)) return wrong(`expected an object, got ${show(entry)}`);
  for (const field of ['dtype', 'shape', 'data_offsets']) {
    if (!Object.hasOwn(entry, field)) wrong(`${field} is missing`);
  }
  const { dtype, shape, data_offsets: offsets } = entry;
  const bits = typeof dtype === 'string' ? DTYPE_BITS.get(dtype) : undefined;
  if (typeof dtype !== 'string' || bits === undefined) {
    return wrong(`dtype must be one of ${[...DTYPE_BITS.keys()].join(', ')}, got ${show(dtype)}`);
  }
  if (!Array.isArray(shape) || !shape.every(isSize)) {
    return wrong(`shape must be an array of non-negative integers below 2^53, got ${show(shape)}`);
  }
  if (shape.length > MAX_DIMENSIONS) {
    wrong(`shape has ${shape.length} dimensions, at most ${MAX_DIMENSIONS} are supported`);
  }
  let length = bits;
  for (const size of shape) {
    length *= size;
    if (!Number.isSafeInteger(length)) wrong(`shape ${show(shape)} of ${dtype} overflows`);
  }
  if (length % 8 !== 0) wrong(`shape ${show(shape)} of ${dtype} does not end on a whole byte`);
  length /= 8;
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize)) {
    return wrong(`data_offsets must be two non-negative integers below 2^53, got ${show(offsets)}`);
  }
  const [begin, end] = offsets;
  const range = `data_offsets ${show(offsets)}`;
  if (begin > end) wrong(`${range} end before they begin`);
  if (end > dataLength) wrong(`${range} end beyond the ${dataLength} bytes of data; is the file complete?`);
  if (end - begin !== length) {
    wrong(`${range} span ${end - begin} bytes, but shape ${show(shape)} of ${dtype} takes ${length}`);
  }
  return { name, dtype, shape, begin, end };
}

/** Every byte of data belongs to exactly one tensor. Needs entries in the order of their bytes. */
function checkCoverage(entries: readonly Entry[], dataLength: number): void {
  let covered = 0;
  for (const { name, begin, end } of entries) {
    if (begin < covered) {
      malformed(`tensor ${show(name)} begins at byte ${begin} of the data, inside another that ends at ${covered}`);
    }
    if (begin > covered) {
      malformed(`bytes ${covered} to ${begin} of the data, before tensor ${show(name)}, belong to no tensor`);
    }
    covered = end;
  }
  if (covered !== dataLength) {
    malformed(`bytes ${covered} to ${dataLength} of the data, after the last tensor, belong to no tensor`);
  }
}

function decode({ name, dtype }: Entry, raw: Uint8Array): Float32Array {
  if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') {
    throw new CompConvError(
      'invalid-weights',
      `safetensors: tensor ${show(name)} is ${dtype}; only F32, F16 and BF16 can be used as weights: convert it`,
    );
  }
  const elementBytes = dtype === 'F32' ? 4 : 2;
  const host = swapOnBigEndian(raw, elementBytes);
  // Typed arrays need an aligned start; a copy has one.
  const { buffer, byteOffset, length } = host.byteOffset % elementBytes === 0 ? host : host.slice();
  if (dtype === 'F32') return new Float32Array(buffer, byteOffset, length / 4);
  const bits = new Uint16Array(buffer, byteOffset, length / 2);
  return dtype === 'F16' ? f16ToF32(bits) : bf16ToF32(bits);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether it is a size, or an offset, that the format allows. */
export function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);
}

/** @throws invalid-file */
export function malformed(problem: string, cause?: unknown): never {
  throw new CompConvError('invalid-file', `safetensors: ${problem}`, { cause });
}

/** Damage that knows what it damages: bytes with numbers in them, and JSON. All of it is data, so that a failing input shrinks. */
import fc from 'fast-check';

/** Places are taken modulo the length of what there is. */
export type Damage =
  | { readonly kind: 'flip'; readonly at: number; readonly bit: number }
  | { readonly kind: 'set'; readonly at: number; readonly byte: number }
  | { readonly kind: 'number'; readonly at: number; readonly value: bigint; readonly bytes: 2 | 4 | 8; readonly little: boolean }
  | { readonly kind: 'cut'; readonly at: number; readonly length: number }
  | { readonly kind: 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'repeat'; readonly at: number; readonly length: number }
  | { readonly kind: 'truncate'; readonly at: number };

const NUMBERS = [0, 1, 7, 8, 9, 127, 128, 255, 256, 65535, 65536, 2 ** 24, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1].map(BigInt);
const LARGE = [2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n, 100_000_000n, 100_000_001n];

const at = fc.nat();
const damage: fc.Arbitrary<Damage> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at, bit: fc.nat(7) }),
  fc.record({ kind: fc.constant('set' as const), at, byte: fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('0123456789-.eE"\\{}[],: \0'))) }),
  fc.record({
    kind: fc.constant('number' as const),
    at,
    value: fc.constantFrom(...NUMBERS, ...LARGE),
    bytes: fc.constantFrom(2 as const, 4 as const, 8 as const),
    little: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('cut' as const), at, length: fc.integer({ min: 1, max: 20 }) }),
  fc.record({ kind: fc.constant('insert' as const), at, bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }) }),
  fc.record({ kind: fc.constant('repeat' as const), at, length: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ kind: fc.constant('truncate' as const), at }),
);

/** A few at a time: what is damaged all over is refused at its first byte. */
export const damages = fc.array(damage, { maxLength: 3 });

/** The bytes with all of it done to them, one after the other. @param range where it may begin */
export function damaged(original: Uint8Array, steps: readonly Damage[], range = Infinity): Uint8Array<ArrayBuffer> {
  let bytes = Uint8Array.from(original);
  for (const step of steps) {
    const place = step.at % Math.max(1, Math.min(bytes.length, range));
    if (step.kind === 'flip') bytes[place] ^= 1 << step.bit;
    else if (step.kind === 'set') bytes[place] = step.byte;
    else if (step.kind === 'number') bytes = withNumber(bytes, place, step);
    else if (step.kind === 'cut') bytes = joined(bytes.subarray(0, place), bytes.subarray(place + step.length));
    else if (step.kind === 'insert') bytes = joined(bytes.subarray(0, place), step.bytes, bytes.subarray(place));
    else if (step.kind === 'repeat') bytes = joined(bytes.subarray(0, place + step.length), bytes.subarray(place));
    else bytes = bytes.slice(0, place);
  }
  return bytes;
}

function withNumber(bytes: Uint8Array, place: number, { value, bytes: width, little }: Extract<Damage, { kind: 'number' }>): Uint8Array<ArrayBuffer> {
  const result = Uint8Array.from(bytes);
  const number = new Uint8Array(8);
  new DataView(number.buffer).setBigUint64(0, value, little);
  result.set((little ? number.subarray(0, width) : number.subarray(8 - width)).subarray(0, bytes.length - place), place);
  return result;
}

export function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(Buffer.concat(parts));
}

/** Cuts bytes into chunks of these sizes, over and over; whole if there are none. */
export function inChunks(bytes: Uint8Array<ArrayBuffer>, sizes: readonly number[]): Uint8Array<ArrayBuffer>[] {
  if (!sizes.some((size) => size > 0)) return [bytes];
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for (let begin = 0, i = 0; begin < bytes.length; begin += sizes[i++ % sizes.length]) chunks.push(bytes.slice(begin, begin + sizes[i % sizes.length]));
  return chunks;
}

export const chunkSizes = fc.array(fc.oneof(fc.nat(9), fc.nat(300)), { maxLength: 4 });

const DEEP = 20_000;
/** Text that stands in JSON as it is: what no value of JavaScript prints as. */
const RAW_TEXTS = [
  '-0', '1.0', '1e999', '-1e999', '1e-999', '{"__proto__":{"polluted":1}}',
  '['.repeat(DEEP) + ']'.repeat(DEEP), '{"a":'.repeat(DEEP) + '1' + '}'.repeat(DEEP),
];
/** Holds the place of one until all is text. */
const RAW = /"@@raw (\d+)@@"/g;
/** Marks a key that is to be there twice. */
const AGAIN = '@@again@@';

const HOSTILE: readonly unknown[] = [
  null, true, false, 0, -1, 0.5, 1, 2, 3, 4, 62, 1000, 65536, 65537, 2 ** 31, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e308, 1e-320,
  ...RAW_TEXTS.map((_, i) => `@@raw ${i}@@`),
  '', 'x', '0', 'é\u{1f600}', '\u0000\u001b[2J', '\ud800', 'constructor', '__proto__', 'x'.repeat(10_000),
  [], {}, [null], [[]], ['x'], [0, 1], Array<number>(1000).fill(1), Array<number>(16).fill(65536),
  { toString: 1, valueOf: 1 }, { length: 3 }, { constructor: { prototype: { polluted: 1 } } }, { toJSON: 1 },
];

const NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'length', '', '0', 'x', 'é', '__metadata__', 'x'.repeat(3000)];

/** One change to a JSON value: of something in it, by its place among all there is, itself included. */
export type JsonEdit = { readonly at: number } & (
  | { readonly kind: 'replace'; readonly value: unknown }
  | { readonly kind: 'remove' }
  | { readonly kind: 'rename'; readonly name: string }
  | { readonly kind: 'again' }
  | { readonly kind: 'add'; readonly name: string; readonly value: unknown }
  | { readonly kind: 'copy'; readonly from: number }
);

const value = fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...HOSTILE) }, fc.jsonValue({ maxDepth: 2 }), fc.integer(), fc.double());
const name = fc.oneof(fc.constantFrom(...NAMES), fc.string({ maxLength: 8 }));
const edit: fc.Arbitrary<JsonEdit> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('replace' as const), at, value }) },
  fc.record({ kind: fc.constant('remove' as const), at }),
  fc.record({ kind: fc.constant('rename' as const), at, name }),
  fc.record({ kind: fc.constant('again' as const), at }),
  fc.record({ kind: fc.constant('add' as const), at, name, value }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('copy' as const), at, from: fc.nat() }) },
);

export const jsonEdits = fc.array(edit, { maxLength: 3 });

type Container = Record<string, unknown>;
/** A value, and what it is in, under which name. */
type Place = readonly [container: Container, name: string];

/** The JSON text of a value with all of it done to it. */
export function editedJson(original: unknown, edits: readonly JsonEdit[]): string {
  const root: Container = { value: structuredClone(original) };
  for (const step of edits) {
    const places = placesIn(root);
    if (places.length === 0) break;
    const [container, key] = places[step.at % places.length];
    if (step.kind === 'replace') define(container, key, structuredClone(step.value));
    else if (step.kind === 'remove') delete container[key];
    else if (step.kind === 'rename') rename(container, key, step.name);
    else if (step.kind === 'again') define(container, `${key}${AGAIN}`, container[key]);
    else if (step.kind === 'copy') {
      const [source, sourceKey] = places[step.from % places.length];
      define(container, key, structuredClone(source[sourceKey]));
    } else if (Array.isArray(container[key])) container[key].push(structuredClone(step.value));
    else if (isContainer(container[key])) define(container[key], step.name, structuredClone(step.value));
  }
  const text = JSON.stringify(root.value) ?? '';
  return text.replaceAll(AGAIN, '').replace(RAW, (_, i: string) => RAW_TEXTS[Number(i)]);
}

function placesIn(container: Container): Place[] {
  return Object.keys(container).flatMap((key): Place[] => {
    const inner = container[key];
    return [[container, key], ...(isContainer(inner) ? placesIn(inner) : [])];
  });
}

function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null;
}

/** `__proto__` is a name like any other. */
function define(container: Container, key: string, value: unknown): void {
  Object.defineProperty(container, key, { value, enumerable: true, configurable: true, writable: true });
}

function rename(container: Container, key: string, to: string): void {
  if (Array.isArray(container) || container[key] === undefined) return;
  const entries = Object.entries(container).map(([name, inner]): [string, unknown] => [name === key ? to : name, inner]);
  for (const name of Object.keys(container)) delete container[name];
  for (const [name, inner] of entries) define(container, name, inner);
}

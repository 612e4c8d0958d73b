/** The safetensors reader against hostile files, and the writer, one case per rule. By property, both readers, and the round trip: test/fuzz. */
import { describe, expect, test } from 'vitest';
import { CompConvError } from '../../src/errors.ts';
import { tensor, type Tensor } from '../../src/tensor/tensor.ts';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import { writeSafetensors } from '../../src/weights/write-safetensors.ts';

const A = '"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}';
const FOUR = new Uint8Array(4);

function file(header: string | Uint8Array, data: Uint8Array = new Uint8Array(0), claimed?: bigint): Uint8Array {
  const json = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, claimed ?? BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

/** A file of one tensor `a` with the given fields, and `length` bytes of data. */
function entry(fields: Record<string, unknown>, length = 4): Uint8Array {
  const whole = { dtype: 'F32', shape: [1], data_offsets: [0, 4], ...fields };
  return file(JSON.stringify({ a: whole }), new Uint8Array(length));
}

function two(first: [number, number], second: [number, number], length: number): Uint8Array {
  const of = ([begin, end]: [number, number]) => ({ dtype: 'U8', shape: [end - begin], data_offsets: [begin, end] });
  return file(JSON.stringify({ a: of(first), b: of(second) }), new Uint8Array(length));
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

const deep = '['.repeat(200_000) + ']'.repeat(200_000);

describe('rejects', () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ['no bytes', new Uint8Array(0), /has 0 bytes/],
    ['7 bytes', new Uint8Array(7), /has 7 bytes/],
    ['a header of 0 bytes', file(''), /claims 0 bytes/],
    ['a header longer than the file', file('{}', undefined, 3n), /claims 3 bytes, but only 2 follow/],
    ['a header above 100 MB', file('{}', undefined, 100_000_001n), /claims 100000001 bytes, above/],
    ['a header beyond 2^53', file('{}', undefined, 2n ** 53n + 1n), /claims 9007199254740993 bytes/],
    ['a header of 2^64 - 1 bytes', file('{}', undefined, 2n ** 64n - 1n), /claims 18446744073709551615 bytes/],
    ['a header that is an array', file('[]'), /starts with byte 91/],
    ['a header that is null', file('null'), /starts with byte 110/],
    ['a space before the header', file(` {${A}}`, FOUR), /starts with byte 32/],
    ['a byte order mark', file(`\ufeff{${A}}`, FOUR), /starts with byte 239/],
    ['invalid UTF-8', file(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x7d)), /not valid UTF-8/],
    ['invalid JSON', file('{"a":}'), /not valid JSON/],
    ['an unfinished header', file('{'), /not valid JSON/],
    ['zeros after the header', file(`{${A}}\0\0`, FOUR), /not valid JSON/],
    ['two objects', file('{}{}'), /not valid JSON/],
    ['a name twice', file(`{${A},${A}}`, FOUR), /key "a" twice/],
    ['a name twice, once escaped', file(`{${A},${A.replace('a', '\\u0061')}}`, FOUR), /key "a" twice/],
    ['metadata twice', file('{"__metadata__":{},"__metadata__":{}}'), /key "__metadata__" twice/],
    ['a metadata key twice', file('{"__metadata__":{"\\"":"1","\\"" : "2"}}'), /key "\\"" twice/],
    ['a field twice', file(`{${A.replace('}', ',"shape":[1]}')}}`, FOUR), /key "shape" twice/],
    ['metadata that is a string', file('{"__metadata__":"x"}'), /__metadata__ must be an object of strings, got "x"/],
    ['metadata that is null', file('{"__metadata__":null}'), /__metadata__ must be an object of strings, got null/],
    ['metadata that is an array', file('{"__metadata__":["x"]}'), /object of strings, got \["x"\]/],
    ['metadata that is a number inside', file('{"__metadata__":{"x":1}}'), /"x" must be a string, got 1/],
    ['metadata that is an object inside', file('{"__metadata__":{"x":{}}}'), /"x" must be a string, got an object/],
    ['an entry that is a number', file('{"a":1}'), /tensor "a": expected an object, got 1/],
    ['an entry that is null', file('{"a":null}'), /expected an object, got null/],
    ['an entry that is an array', file('{"a":["F32",[1],[0,4]]}', FOUR), /expected an object, got \["F32", an array/],
    ['an entry nested deeply', file(`{"a":${deep}}`), /expected an object, got \[an array\]/],
    ['a missing dtype', entry({ dtype: undefined }), /dtype is missing/],
    ['a missing shape', entry({ shape: undefined }), /shape is missing/],
    ['missing data_offsets', entry({ data_offsets: undefined }), /data_offsets is missing/],
    ['an unknown dtype', entry({ dtype: 'F128' }), /dtype must be one of .*, got "F128"/],
    ['a dtype in lower case', entry({ dtype: 'f32' }), /got "f32"/],
    ['a dtype named like a method', entry({ dtype: 'constructor' }), /got "constructor"/],
    ['a dtype that is a number', entry({ dtype: 32 }), /got 32/],
    ['a shape that is a number', entry({ shape: 1 }), /shape must be an array of non-negative integers.* got 1/],
    ['a shape that is an object', entry({ shape: { length: 1 } }), /got an object/],
    ['a negative size', entry({ shape: [-1] }), /got \[-1\]/],
    ['a size of minus zero', file(`{${A.replace('[1]', '[-0]')}}`), /shape must be/],
    ['a fraction', entry({ shape: [1.5] }), /got \[1\.5\]/],
    ['a size that is a string', entry({ shape: ['1'] }), /got \["1"\]/],
    ['a size that is null', entry({ shape: [null] }), /got \[null\]/],
    ['a size of 2^53', entry({ shape: [2 ** 53] }), /got \[9007199254740992\]/],
    ['a size of 1e999', file(`{${A.replace('[1]', '[1e999]')}}`, FOUR), /got \[Infinity\]/],
    ['9 dimensions', entry({ shape: [1, 1, 1, 1, 1, 1, 1, 1, 1] }), /9 dimensions/],
    ['100,000 sizes', entry({ shape: Array<number>(100_000).fill(1) }), /100000 dimensions/],
    ['sizes that overflow', entry({ shape: [2 ** 27, 2 ** 27] }), /overflows/],
    ['an overflow before a zero', entry({ shape: [2 ** 52, 2 ** 52, 0], data_offsets: [0, 0] }, 0), /overflows/],
    ['an overflow that is 0 mod 2^64', entry({ shape: [2 ** 32, 2 ** 32], data_offsets: [0, 0] }, 0), /overflows/],
    ['bytes that overflow', entry({ shape: [2 ** 50] }), /overflows/],
    ['half a byte', entry({ dtype: 'F4', shape: [3], data_offsets: [0, 2] }, 2), /whole byte/],
    ['one offset', entry({ data_offsets: [4] }), /two non-negative integers.* got \[4\]/],
    ['three offsets', entry({ data_offsets: [0, 4, 8] }), /got \[0, 4, 8\]/],
    ['offsets that are an object', entry({ data_offsets: { 0: 0, 1: 4 } }), /got an object/],
    ['a negative offset', entry({ data_offsets: [-4, 0] }), /got \[-4, 0\]/],
    ['an offset that is a string', entry({ data_offsets: ['0', 4] }), /got \["0", 4\]/],
    ['an offset beyond 2^53', entry({ data_offsets: [2 ** 60, 2 ** 60 + 2048] }), /two non-negative integers/],
    ['offsets the wrong way round', entry({ data_offsets: [4, 0] }), /end before they begin/],
    ['offsets beyond the end', entry({}, 3), /end beyond the 3 bytes/],
    ['fewer bytes than the shape takes', entry({ shape: [2] }), /span 4 bytes, but shape \[2\] of F32 takes 8/],
    ['more bytes than the shape takes', entry({ shape: [], data_offsets: [0, 8] }, 8), /span 8 bytes.* takes 4/],
    ['the size of another dtype', entry({ dtype: 'F16' }), /shape \[1\] of F16 takes 2/],
    ['the same bytes twice', two([0, 4], [0, 4], 4), /tensor "b" begins at byte 0 .* ends at 4/],
    ['an overlap', two([0, 4], [3, 8], 8), /"b" begins at byte 3 .* ends at 4/],
    ['an empty tensor inside another', two([0, 4], [2, 2], 4), /"b" begins at byte 2 .* ends at 4/],
    ['a hole at the start', entry({ data_offsets: [4, 8] }, 8), /bytes 0 to 4 of the data, before tensor "a"/],
    ['a hole in between', two([0, 4], [5, 8], 8), /bytes 4 to 5 of the data, before tensor "b"/],
    ['bytes after the last tensor', entry({}, 5), /bytes 4 to 5 of the data, after the last/],
    ['bytes without tensors', file('{}', FOUR), /bytes 0 to 4 of the data, after the last/],
  ];
  test.each(cases)('%s', (_, bytes, message) => {
    const error = errorOf(() => parseSafetensors(bytes));
    expect(error.code).toBe('invalid-file');
    expect(error.message).toMatch(message);
    expect(error.message).toMatch(/^safetensors: /);
  });

  test('a long name without repeating all of it', () => {
    const error = errorOf(() => parseSafetensors(file(JSON.stringify({ ['x'.repeat(100_000)]: 1 }))));
    expect(error.message.length).toBeLessThan(300);
  });
});

describe('accepts', () => {
  test('no tensors', () => {
    const parsed = parseSafetensors(file('{}      '));
    expect([parsed.shapes.size, parsed.dtypes.size, parsed.metadata.size]).toEqual([0, 0, 0]);
  });

  test('tensors in any order, listed by their bytes', () => {
    const header = {
      b: { dtype: 'F32', shape: [], data_offsets: [4, 8] },
      1: { dtype: 'F32', shape: [1, 1], data_offsets: [0, 4] },
      none: { dtype: 'F32', shape: [0, 7], data_offsets: [4, 4] },
    };
    const parsed = parseSafetensors(file(JSON.stringify(header), new Uint8Array(Float32Array.of(5, 6).buffer)));
    expect([...parsed.shapes]).toEqual([['1', [1, 1]], ['none', [0, 7]], ['b', []]]);
    expect(parsed.get('1')).toEqual(tensor([1, 1], Float32Array.of(5)));
    expect(parsed.get('none')).toEqual(tensor([0, 7], new Float32Array(0)));
    expect(parsed.get('b')).toEqual(tensor([], Float32Array.of(6)));
  });

  test('the same key in different objects, and unknown fields however deep', () => {
    const fields = `"x":{"a":{"a":1}},"y":[{"a":1},{"a":1}],"z":${deep},"dtype":"F32","shape":[1],"data_offsets":[0,4]`;
    const parsed = parseSafetensors(file(`{"a":{${fields}},"__metadata__":{"a":"a","dtype":"\\\\"}}`, FOUR));
    expect([...parsed.shapes.keys()]).toEqual(['a']);
    expect([...parsed.metadata]).toEqual([['a', 'a'], ['dtype', '\\']]);
  });

  test('tensors at odd offsets, in a file at an odd offset', () => {
    const data = new Uint8Array(1 + 4 + 2 + 2);
    const view = new DataView(data.buffer);
    view.setFloat32(1, 1.5, true);
    view.setUint16(5, 0x3e00, true);
    view.setUint16(7, 0x3fc0, true);
    const header = {
      u: { dtype: 'U8', shape: [1], data_offsets: [0, 1] },
      f: { dtype: 'F32', shape: [1], data_offsets: [1, 5] },
      h: { dtype: 'F16', shape: [1], data_offsets: [5, 7] },
      b: { dtype: 'BF16', shape: [1], data_offsets: [7, 9] },
    };
    const bytes = file(JSON.stringify(header), data);
    for (let shift = 0; shift < 8; shift++) {
      // A Buffer on purpose: its slice() does not copy.
      const shifted = Buffer.alloc(bytes.length + shift).subarray(shift);
      shifted.set(bytes);
      const parsed = parseSafetensors(shifted);
      for (const name of ['f', 'h', 'b']) expect(parsed.get(name).data).toEqual(Float32Array.of(1.5));
    }
  });

  test('aligned F32 without copying', () => {
    const bytes = writeSafetensors([['a', tensor([2], Float32Array.of(1, 2))]]);
    const { data } = parseSafetensors(bytes).get('a');
    expect(data.buffer).toBe(bytes.buffer);
  });

  const others = [
    ['BOOL', 1], ['U8', 1], ['I8', 1], ['I16', 2], ['U16', 2], ['I32', 4], ['U32', 4], ['I64', 8], ['U64', 8],
    ['F64', 8], ['C64', 8], ['F8_E5M2', 1], ['F8_E4M3', 1], ['F8_E8M0', 1], ['F8_E4M3FNUZ', 1], ['F8_E5M2FNUZ', 1],
    ['F4', 0.5], ['F6_E2M3', 0.75], ['F6_E3M2', 0.75],
  ] as const;
  test.each(others)('%s in the header, but does not decode it', (dtype, size) => {
    const parsed = parseSafetensors(entry({ dtype, shape: [2, 2], data_offsets: [0, 4 * size] }, 4 * size));
    expect([...parsed.dtypes]).toEqual([['a', dtype]]);
    const error = errorOf(() => parsed.get('a'));
    expect(error.code).toBe('invalid-weights');
    expect(error.message).toContain(`"a" is ${dtype}`);
    const shorter = entry({ dtype, shape: [2, 2], data_offsets: [0, 4 * size - 1] }, 4 * size - 1);
    expect(errorOf(() => parseSafetensors(shorter)).code).toBe('invalid-file');
  });

  test('names of Object.prototype as names like any other', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const metadata = JSON.parse('{"__proto__":"p","constructor":"c"}') as Record<string, string>;
    const tensors = names.map((name, i): [string, Tensor] => [name, tensor([1], Float32Array.of(i))]);
    const parsed = parseSafetensors(writeSafetensors(tensors, metadata));
    expect([...parsed.shapes.keys()]).toEqual(names);
    names.forEach((name, i) => expect(parsed.get(name).data).toEqual(Float32Array.of(i)));
    expect([...parsed.metadata]).toEqual([['__proto__', 'p'], ['constructor', 'c']]);
    expect(({} as Record<string, unknown>).dtype).toBeUndefined();

    const empty = parseSafetensors(file('{}'));
    for (const name of names) {
      expect(empty.shapes.has(name)).toBe(false);
      expect(errorOf(() => empty.get(name)).code).toBe('invalid-argument');
    }
  });
});

test('100,000 tensors in reverse order do not hang it', () => {
  const header = Array.from({ length: 100_000 }, (_, i) => {
    const at = 99_999 - i;
    return `"t${i}":{"dtype":"U8","shape":[1],"data_offsets":[${at},${at + 1}]}`;
  });
  const start = performance.now();
  expect(parseSafetensors(file(`{${header.join(',')}}`, new Uint8Array(100_000))).shapes.size).toBe(100_000);
  expect(performance.now() - start).toBeLessThan(5000);
});

describe('writes', () => {
  test('the layout of the format: padded header, tensors in order without gaps', () => {
    const bytes = writeSafetensors(
      [
        ['b', tensor([2], Float32Array.of(1, 2))],
        ['1', tensor([], Float32Array.of(3))],
      ],
      { k: 'v' },
    );
    const headerLength = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(headerLength % 8).toBe(0);
    expect(new TextDecoder().decode(bytes.subarray(8, 8 + headerLength)).trimEnd()).toBe(
      '{"__metadata__":{"k":"v"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},' +
        '"1":{"dtype":"F32","shape":[],"data_offsets":[8,12]}}',
    );
    expect([...new Float32Array(bytes.buffer, 8 + headerLength)]).toEqual([1, 2, 3]);
  });

  test('an empty file as the reference does', () => {
    expect([...writeSafetensors([])]).toEqual([8, 0, 0, 0, 0, 0, 0, 0, 123, 125, 32, 32, 32, 32, 32, 32]);
  });

  const one = tensor([1], Float32Array.of(1));
  const refused: [string, () => unknown, RegExp][] = [
    ['the name __metadata__', () => writeSafetensors([['__metadata__', one]]), /cannot be called __metadata__/],
    ['a name twice', () => writeSafetensors([['a', one], ['a', one]]), /two tensors are called "a"/],
    ['a name with an unpaired surrogate', () => writeSafetensors([['\ud800', one]]), /surrogate/],
    ['metadata with an unpaired surrogate', () => writeSafetensors([], { k: '\udc00' }), /surrogate/],
    ['metadata that is no string', () => writeSafetensors([], { k: 1 as unknown as string }), /must be strings, got 1/],
    ['a shape that does not fit', () => writeSafetensors([['a', { ...one, shape: [2] }]]), /\[2\] does not fit 1/],
    ['a fraction of a size', () => writeSafetensors([['a', { ...one, shape: [0.5, 2] }]]), /is no shape/],
    ['9 dimensions', () => writeSafetensors([['a', { ...one, shape: Array<number>(9).fill(1) }]]), /is no shape/],
    ['another dtype', () => writeSafetensors([], {}, 'I64' as 'F32'), /cannot write "I64"/],
  ];
  test.each(refused)('not %s', (_, action, message) => {
    const error = errorOf(action);
    expect(error.code).toBe('invalid-argument');
    expect(error.message).toMatch(message);
  });
});

/**
 * Reads an ONNX file's fields back, by the numbers of `onnx.proto`: one table for each message, from field number to name and
 * kind. Fields that are not in a table fail, so that nothing is written that nobody looks at.
 */
import { BinaryReader } from '@bufbuild/protobuf/wire';

type Kind = 'integer' | 'float' | 'text' | 'byteLength' | Message;
/** `name[]` may come several times and is always there, as a list. */
type Message = Readonly<Record<number, readonly [name: string, kind: Kind]>>;

const ATTRIBUTE: Message = { 1: ['name', 'text'], 2: ['f', 'float'], 3: ['i', 'integer'], 8: ['ints[]', 'integer'], 20: ['type', 'integer'] };
const NODE: Message = { 1: ['input[]', 'text'], 2: ['output[]', 'text'], 3: ['name', 'text'], 4: ['op_type', 'text'], 5: ['attribute[]', ATTRIBUTE] };
const TENSOR: Message = { 1: ['dims[]', 'integer'], 2: ['data_type', 'integer'], 8: ['name', 'text'], 9: ['raw_data', 'byteLength'] };
const SHAPE: Message = { 1: ['dim[]', { 1: ['dim_value', 'integer'] }] };
const VALUE: Message = { 1: ['name', 'text'], 2: ['type', { 1: ['tensor_type', { 1: ['elem_type', 'integer'], 2: ['shape', SHAPE] }] }] };
const GRAPH: Message = { 1: ['node[]', NODE], 2: ['name', 'text'], 5: ['initializer[]', TENSOR], 11: ['input[]', VALUE], 12: ['output[]', VALUE] };
const MODEL: Message = {
  1: ['ir_version', 'integer'], 2: ['producer_name', 'text'], 6: ['doc_string', 'text'], 7: ['graph', GRAPH],
  8: ['opset_import[]', { 2: ['version', 'integer'] }], 14: ['metadata_props[]', { 1: ['key', 'text'], 2: ['value', 'text'] }],
};

/** The file by the names of `onnx.proto`; of raw data only its length. */
export interface OnnxFile {
  readonly ir_version: number;
  readonly producer_name: string;
  readonly doc_string: string;
  readonly opset_import: readonly { readonly version: number }[];
  readonly metadata_props: readonly { readonly key: string; readonly value: string }[];
  readonly graph: {
    readonly name: string;
    readonly node: readonly {
      readonly name: string;
      readonly op_type: string;
      readonly input: readonly string[];
      readonly output: readonly string[];
      readonly attribute: readonly { readonly name: string; readonly type: number; readonly i?: number; readonly f?: number; readonly ints: readonly number[] }[];
    }[];
    readonly initializer: readonly { readonly name: string; readonly dims: readonly number[]; readonly data_type: number; readonly raw_data: number }[];
    readonly input: readonly OnnxFileValue[];
    readonly output: readonly OnnxFileValue[];
  };
}

interface OnnxFileValue {
  readonly name: string;
  readonly type: { readonly tensor_type: { readonly elem_type: number; readonly shape: { readonly dim: readonly { readonly dim_value: number }[] } } };
}

export function readOnnx(bytes: Uint8Array): OnnxFile {
  return readMessage(new BinaryReader(bytes), bytes.length, MODEL) as unknown as OnnxFile;
}

function readMessage(reader: BinaryReader, length: number, message: Message): Record<string, unknown> {
  const names = Object.values(message).map(([name]) => name);
  const result: Record<string, unknown> = Object.fromEntries(names.filter((name) => name.endsWith('[]')).map((name) => [name.slice(0, -2), []]));
  const end = reader.pos + length;
  while (reader.pos < end) {
    const [field] = reader.tag();
    if (!(field in message)) throw new Error(`a field ${field} beside ${names.join(', ')}`);
    const [name, kind] = message[field];
    const value = readField(reader, kind);
    if (name.endsWith('[]')) (result[name.slice(0, -2)] as unknown[]).push(value);
    else if (name in result) throw new Error(`${name} comes twice`);
    else result[name] = value;
  }
  if (reader.pos !== end) throw new Error(`a message of ${names.join(', ')} ends at ${reader.pos} instead of ${end}`);
  return result;
}

function readField(reader: BinaryReader, kind: Kind): unknown {
  if (kind === 'integer') return Number(reader.int64());
  if (kind === 'float') return reader.float();
  if (kind === 'text') return reader.string();
  if (kind === 'byteLength') return reader.bytes().length;
  return readMessage(reader, reader.uint32(), kind);
}

/**
 * An ONNX model as plain data, and its bytes: the few messages of `onnx.proto` that a network needs, by their field numbers.
 *
 * The idea: the lengths of all tensors are known before their values are. So the whole file is laid out first, and then each
 * tensor is computed and copied to its place, one at a time: a network of hundreds of megabytes exists once, in the result.
 *
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { CompConvError } from '../errors.ts';
import { elementCount } from '../tensor/tensor.ts';
import { swapOnBigEndian } from '../weights/safetensors.ts';

/** Versions of the operators and of the format: of 2021, which every runtime of today reads. */
export const OPSET = 17;
const IR_VERSION = 8;
const PRODUCER = 'compconv-webgpu';

export interface OnnxModel {
  /** Name of the network. */
  readonly name: string;
  readonly doc: string;
  readonly metadata: ReadonlyMap<string, string>;
  /** In an order in which every value is computed before it is read. */
  readonly nodes: readonly OnnxNode[];
  readonly tensors: readonly OnnxTensor[];
  readonly input: OnnxValue;
  readonly output: OnnxValue;
}

export interface OnnxNode {
  readonly name: string;
  /** Operator, as the standard spells it: `Conv`. */
  readonly op: string;
  /** Names of values and tensors. */
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** One or several integers, or a float. */
export type OnnxAttribute = number | readonly number[] | { readonly float: number };

/** A constant. */
export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: 'float' | 'int64';
  /** As many values as `dims` say. */
  values(): Float32Array | BigInt64Array;
}

/** A float value that enters or leaves the model. */
export interface OnnxValue {
  readonly name: string;
  readonly dims: readonly number[];
}

/** Protobuf's own limit: lengths are signed 32-bit integers in most readers. */
const MAX_BYTES = 2 ** 31 - 1;

/** `TensorProto.DataType`, and the bytes of an element. */
const TYPES = { float: { code: 1, bytes: 4 }, int64: { code: 7, bytes: 8 } } as const;

/**
 * The file's bytes.
 * @param onProgress called after each tensor
 * @throws limit-exceeded from 2 GiB, before any tensor is computed; out-of-memory
 */
export function encodeModel(model: OnnxModel, onProgress?: (doneBytes: number, totalBytes: number) => void): Uint8Array<ArrayBuffer> {
  const values = model.tensors.reduce((sum, tensor) => sum + byteLength(tensor), 0);
  checkLength(values, model.name);
  const graph = message((to) => {
    for (const node of model.nodes) to.message(1, encodeNode(node));
    to.text(2, model.name).message(11, encodeValue(model.input)).message(12, encodeValue(model.output));
  });
  const heads = model.tensors.map(tensorHead);
  const graphLength = heads.reduce((sum, { length }) => sum + length, graph.length + values);
  const start = message((to) => {
    to.integer(1, IR_VERSION).text(2, PRODUCER).text(6, model.doc);
    to.message(8, message((opset) => opset.integer(2, OPSET)));
    for (const [key, value] of model.metadata) to.message(14, message((entry) => entry.text(1, key).text(2, value)));
    to.head(7, graphLength);
  });

  checkLength(start.length + graphLength, model.name);
  const bytes = allocate(start.length + graphLength, model.name);
  bytes.set(start);
  bytes.set(graph, start.length);
  let at = start.length + graph.length;
  model.tensors.forEach((tensor, i) => {
    bytes.set(heads[i], at);
    bytes.set(rawData(tensor), at + heads[i].length);
    at += heads[i].length + byteLength(tensor);
    onProgress?.(at, bytes.length);
  });
  return bytes;
}

function encodeNode({ name, op, inputs, output, attributes }: OnnxNode): Uint8Array {
  return message((to) => {
    for (const input of inputs) to.text(1, input);
    to.text(2, output).text(3, name).text(4, op);
    for (const [key, value] of Object.entries(attributes)) to.message(5, encodeAttribute(key, value));
  });
}

/** `type` is what tells readers which of the fields holds the value: 1 FLOAT, 2 INT, 7 INTS. */
function encodeAttribute(name: string, value: OnnxAttribute): Uint8Array {
  return message((to) => {
    to.text(1, name);
    if (typeof value === 'number') to.integer(3, value).integer(20, 2);
    else if ('float' in value) to.float(2, value.float).integer(20, 1);
    else value.reduce((_, item) => to.integer(8, item), to).integer(20, 7);
  });
}

/** `ValueInfoProto`, around a `TypeProto`, around its tensor type, around a shape, around sizes. */
function encodeValue({ name, dims }: OnnxValue): Uint8Array {
  const shape = message((to) => {
    for (const size of dims) to.message(1, message((dim) => dim.integer(1, size)));
  });
  const tensorType = message((to) => to.integer(1, TYPES.float.code).message(2, shape));
  return message((to) => to.text(1, name).message(2, message((type) => type.message(1, tensorType))));
}

/** A tensor in the graph's field of initializers, up to where its values begin. */
function tensorHead(tensor: OnnxTensor): Uint8Array {
  const { name, dims, type } = tensor;
  const length = byteLength(tensor);
  const fields = message((to) => {
    for (const size of dims) to.integer(1, size);
    to.integer(2, TYPES[type].code).text(8, name).head(9, length);
  });
  return message((to) => to.head(5, fields.length + length).raw(fields));
}

function byteLength({ dims, type }: OnnxTensor): number {
  return elementCount(dims) * TYPES[type].bytes;
}

function rawData(tensor: OnnxTensor): Uint8Array {
  const { buffer, byteOffset, byteLength: length } = tensor.values();
  return swapOnBigEndian(new Uint8Array(buffer, byteOffset, length), TYPES[tensor.type].bytes);
}

function checkLength(length: number, what: string): void {
  if (length <= MAX_BYTES) return;
  throw new CompConvError('limit-exceeded', `${what}: takes ${length} bytes; an ONNX file with its weights inside holds less than 2 GiB`);
}

function allocate(length: number, what: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new CompConvError('out-of-memory', `${what}: there is no memory for the ${length} bytes of its ONNX file`, { cause });
  }
}

/** The bytes of one message; `write` writes its fields. */
function message(write: (to: MessageWriter) => void): Uint8Array {
  const to = new MessageWriter();
  write(to);
  return to.finish();
}

/** Fields of a message, one a call. */
class MessageWriter {
  readonly #wire = new BinaryWriter();

  integer(field: number, value: number): this {
    this.#wire.tag(field, WireType.Varint).int64(value);
    return this;
  }

  float(field: number, value: number): this {
    this.#wire.tag(field, WireType.Bit32).float(value);
    return this;
  }

  text(field: number, value: string): this {
    this.#wire.tag(field, WireType.LengthDelimited).string(value);
    return this;
  }

  message(field: number, bytes: Uint8Array): this {
    return this.head(field, bytes.length).raw(bytes);
  }

  /** What stands before the bytes of a text, message or raw data. */
  head(field: number, length: number): this {
    this.#wire.tag(field, WireType.LengthDelimited).uint32(length);
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#wire.raw(bytes);
    return this;
  }

  finish(): Uint8Array {
    return this.#wire.finish();
  }
}

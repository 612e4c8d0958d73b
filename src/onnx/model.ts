/**
 * An ONNX model as plain data, and its bytes: the few messages of `onnx.proto` that a network needs, by their field numbers.
 *
 * The idea: the lengths of all tensors are known before their values are. So the whole file is laid out first, and then each
 * tensor is computed and copied to its place, one at a time: a network of hundreds of megabytes exists once, in the result.
 *
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
 */
import { CompConvError } from '../errors.ts';
import { swapOnBigEndian } from '../tensor/byte-order.ts';
import { elementCount } from '../tensor/tensor.ts';
import { message } from './message-writer.ts';

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

/** Numbers of the fields, by the names of `onnx.proto`. */
const MODEL = { irVersion: 1, producerName: 2, docString: 6, graph: 7, opsetImport: 8, metadataProps: 14 } as const;
const OPSET_ID = { version: 2 } as const;
const ENTRY = { key: 1, value: 2 } as const;
const GRAPH = { node: 1, name: 2, initializer: 5, input: 11, output: 12 } as const;
const NODE = { input: 1, output: 2, name: 3, opType: 4, attribute: 5 } as const;
const ATTRIBUTE = { name: 1, f: 2, i: 3, ints: 8, type: 20 } as const;
const TENSOR = { dims: 1, dataType: 2, name: 8, rawData: 9 } as const;
const VALUE_INFO = { name: 1, type: 2 } as const;
const TYPE = { tensorType: 1 } as const;
const TENSOR_TYPE = { elemType: 1, shape: 2 } as const;
const SHAPE = { dim: 1 } as const;
const DIMENSION = { dimValue: 1 } as const;

/** `AttributeProto.AttributeType`: tells readers which of the fields holds the value. */
const ATTRIBUTE_TYPES = { f: 1, i: 2, ints: 7 } as const;

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
    for (const node of model.nodes) to.message(GRAPH.node, encodeNode(node));
    to.text(GRAPH.name, model.name);
    to.message(GRAPH.input, encodeValue(model.input)).message(GRAPH.output, encodeValue(model.output));
  });
  const heads = model.tensors.map(tensorHead);
  const graphLength = heads.reduce((sum, { length }) => sum + length, graph.length + values);
  const start = message((to) => {
    to.integer(MODEL.irVersion, IR_VERSION).text(MODEL.producerName, PRODUCER).text(MODEL.docString, model.doc);
    to.message(MODEL.opsetImport, message((id) => id.integer(OPSET_ID.version, OPSET)));
    for (const [key, value] of model.metadata) {
      to.message(MODEL.metadataProps, message((entry) => entry.text(ENTRY.key, key).text(ENTRY.value, value)));
    }
    to.head(MODEL.graph, graphLength);
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
    for (const input of inputs) to.text(NODE.input, input);
    to.text(NODE.output, output).text(NODE.name, name).text(NODE.opType, op);
    for (const [key, value] of Object.entries(attributes)) to.message(NODE.attribute, encodeAttribute(key, value));
  });
}

function encodeAttribute(name: string, value: OnnxAttribute): Uint8Array {
  return message((to) => {
    to.text(ATTRIBUTE.name, name);
    if (typeof value === 'number') {
      to.integer(ATTRIBUTE.i, value).integer(ATTRIBUTE.type, ATTRIBUTE_TYPES.i);
    } else if ('float' in value) {
      to.float(ATTRIBUTE.f, value.float).integer(ATTRIBUTE.type, ATTRIBUTE_TYPES.f);
    } else {
      for (const item of value) to.integer(ATTRIBUTE.ints, item);
      to.integer(ATTRIBUTE.type, ATTRIBUTE_TYPES.ints);
    }
  });
}

function encodeValue({ name, dims }: OnnxValue): Uint8Array {
  const shape = message((to) => {
    for (const size of dims) to.message(SHAPE.dim, message((dim) => dim.integer(DIMENSION.dimValue, size)));
  });
  const tensorType = message((to) => to.integer(TENSOR_TYPE.elemType, TYPES.float.code).message(TENSOR_TYPE.shape, shape));
  const type = message((to) => to.message(TYPE.tensorType, tensorType));
  return message((to) => to.text(VALUE_INFO.name, name).message(VALUE_INFO.type, type));
}

/** A tensor in the graph's field of initializers, up to where its values begin. */
function tensorHead(tensor: OnnxTensor): Uint8Array {
  const { name, dims, type } = tensor;
  const length = byteLength(tensor);
  const fields = message((to) => {
    for (const size of dims) to.integer(TENSOR.dims, size);
    to.integer(TENSOR.dataType, TYPES[type].code).text(TENSOR.name, name).head(TENSOR.rawData, length);
  });
  return message((to) => to.head(GRAPH.initializer, fields.length + length).raw(fields));
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

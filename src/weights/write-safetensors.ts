/** Writes `.safetensors`; `safetensors.ts` says what is in such a file, and reads it. */
import { CompConvError, show } from '../errors.ts';
import { swapOnBigEndian } from '../tensor/byte-order.ts';
import { elementCount, formatShape, type Tensor } from '../tensor/tensor.ts';
import { f32ToBf16, f32ToF16 } from './half.ts';
import { isSize, MAX_DIMENSIONS, MAX_HEADER_BYTES, METADATA } from './safetensors.ts';

/** What `writeSafetensors` can store. */
export type WritableDtype = 'F32' | 'F16' | 'BF16';

/**
 * Writes a file that any reader of the format takes: tensors in the given order, without gaps, the header padded to a
 * multiple of 8 bytes. Values are rounded to nearest, ties to even, where `dtype` is F16 or BF16.
 * @throws invalid-argument for a name given twice or called `__metadata__`, text that is no valid Unicode, metadata
 *   that is not strings, a shape that does not fit its data or has more than 8 dimensions, a header above 100 MB.
 */
export function writeSafetensors(
  tensors: Iterable<readonly [string, Tensor]>,
  metadata?: Readonly<Record<string, string>>,
  dtype: WritableDtype = 'F32',
): Uint8Array<ArrayBuffer> {
  const refuse = (problem: string): never => {
    throw new CompConvError('invalid-argument', `writeSafetensors: ${problem}`);
  };
  if (!['F32', 'F16', 'BF16'].includes(dtype)) refuse(`cannot write ${show(dtype)}, only F32, F16, BF16`);
  const text = (value: unknown): string => {
    if (typeof value !== 'string') return refuse(`names and metadata must be strings, got ${show(value)}`);
    // Readers of UTF-8 refuse them.
    if (/\p{Surrogate}/u.test(value)) refuse(`${show(value)} has an unpaired surrogate`);
    return JSON.stringify(value);
  };
  // Built as text: an object would reorder names like "0" and swallow "__proto__".
  const fields: string[] = [];
  if (metadata !== undefined) {
    const pairs = Object.entries(metadata).map(([key, value]) => `${text(key)}:${text(value)}`);
    fields.push(`"${METADATA}":{${pairs.join(',')}}`);
  }
  const elementBytes = dtype === 'F32' ? 4 : 2;
  const list = [...tensors];
  const names = new Set<string>();
  let offset = 0;
  for (const [name, { shape, data }] of list) {
    if (name === METADATA) refuse(`a tensor cannot be called ${METADATA}: the format keeps that name for itself`);
    if (names.has(name)) refuse(`two tensors are called ${show(name)}`);
    names.add(name);
    if (shape.length > MAX_DIMENSIONS || !shape.every(isSize) || elementCount(shape) !== data.length) {
      refuse(`${show(name)}: shape ${formatShape(shape)} does not fit ${data.length} values, or is no shape`);
    }
    const end = offset + data.length * elementBytes;
    fields.push(`${text(name)}:{"dtype":"${dtype}","shape":[${shape.join(',')}],"data_offsets":[${offset},${end}]}`);
    offset = end;
  }
  const json = new TextEncoder().encode(`{${fields.join(',')}}`);
  const headerLength = Math.ceil(json.length / 8) * 8;
  if (headerLength > MAX_HEADER_BYTES) refuse(`the header takes ${headerLength} bytes, the format allows 100 MB`);

  const bytes = new Uint8Array(8 + headerLength + offset);
  new DataView(bytes.buffer).setUint32(0, headerLength, true);
  bytes.fill(0x20, 8 + json.length, 8 + headerLength);
  bytes.set(json, 8);
  let position = 8 + headerLength;
  for (const [, { data }] of list) {
    const stored = dtype === 'F32' ? data : dtype === 'F16' ? f32ToF16(data) : f32ToBf16(data);
    const raw = new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength);
    bytes.set(swapOnBigEndian(raw, elementBytes), position);
    position += raw.length;
  }
  return bytes;
}

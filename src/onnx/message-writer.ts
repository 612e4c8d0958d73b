/** Writes a protobuf message field by field, over the wire format of `@bufbuild/protobuf`; which fields there are is the caller's. */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** The bytes of one message; `write` writes its fields. */
export function message(write: (to: MessageWriter) => void): Uint8Array {
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

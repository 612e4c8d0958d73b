/** What a file's SHA-256 must be, and whether it is. */
import { CompConvError, show } from '../errors.ts';

/** 64 lower-case hexadecimal digits, from those or from `sha256-` and base64, as HTML's `integrity` has it. @throws invalid-argument */
export function parseIntegrity(integrity: string | undefined): string | undefined {
  if (integrity === undefined) return undefined;
  if (/^[0-9a-f]{64}$/i.test(integrity)) return integrity.toLowerCase();
  const base64 = /^sha256-([A-Za-z0-9+/]{43}=)$/.exec(integrity)?.[1];
  if (base64 === undefined) {
    throw new CompConvError('invalid-argument', `integrity must be a SHA-256, 64 hexadecimal digits or "sha256-" and base64, got ${show(integrity)}`);
  }
  return toHex(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
}

/** Passes chunks on and counts them, and their SHA-256. Crypto of the browser knows no streams, so that a library does it, loaded when it is needed. */
export async function* hashed(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  onEnd: (sha256: string, byteLength: number) => void | Promise<void>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const { sha256 } = await import('@noble/hashes/sha2.js');
  const hash = sha256.create();
  let byteLength = 0;
  for await (const chunk of chunks) {
    hash.update(chunk);
    byteLength += chunk.length;
    yield chunk;
  }
  await onEnd(toHex(hash.digest()), byteLength);
}

/** Passes chunks on, and fails at their end if they are not what was expected. @throws integrity */
export function checkIntegrity(name: string, chunks: AsyncIterable<Uint8Array<ArrayBuffer>>, expected: string): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  return hashed(chunks, (sha256) => {
    if (sha256 === expected) return;
    throw new CompConvError('integrity', `${name}: its SHA-256 is ${sha256}, expected ${expected}; it is another file, or was changed on its way`);
  });
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

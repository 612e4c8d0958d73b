/** Files are little-endian, whatever the host is. */

/** The same bytes on a little-endian host; a copy with every element's bytes reversed on any other. Both ways: for reading and for writing. */
export function swapOnBigEndian(bytes: Uint8Array, elementBytes: number): Uint8Array {
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] === 1) return bytes;
  const swapped = bytes.slice();
  for (let i = 0; i < swapped.length; i += elementBytes) swapped.subarray(i, i + elementBytes).reverse();
  return swapped;
}

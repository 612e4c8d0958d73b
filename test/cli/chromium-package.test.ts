import { expect, test } from 'vitest';
import { readTar } from '../../cli/chromium-package.ts';

/** One ustar entry; the checksum is left out, since the reader trusts npm's own. */
function entry(path: string, type: string, content = '', mode = 0o644, size = content.length): Uint8Array {
  const bytes = new Uint8Array(512 + Math.ceil(content.length / 512) * 512);
  const put = (at: number, text: string): void => bytes.set(new TextEncoder().encode(text), at);
  put(0, path);
  put(100, `${mode.toString(8).padStart(7, '0')}\0`);
  put(124, `${size.toString(8).padStart(11, '0')}\0`);
  put(156, type);
  put(257, 'ustar\0');
  put(512, content);
  return bytes;
}

function archive(...entries: Uint8Array[]): Uint8Array {
  return Uint8Array.from([...entries.flatMap((bytes) => [...bytes]), ...new Uint8Array(1024)]);
}

test('reads the files of a tar archive', () => {
  const long = 'x'.repeat(600);
  const files = readTar(archive(entry('lib/', '5'), entry('./lib/a.so', '0', long, 0o755), entry('b', '0', 'hi')));
  expect(files.map(({ path, executable, bytes }) => [path, executable, new TextDecoder().decode(bytes)])).toEqual([
    ['lib/a.so', true, long],
    ['b', false, 'hi'],
  ]);
});

test('refuses entries that leave the folder, are no files, or are cut short', () => {
  expect(() => readTar(archive(entry('../a', '0', 'hi')))).toThrow('../a: leaves the folder');
  expect(() => readTar(archive(entry('lib/../../a', '0', 'hi')))).toThrow('leaves the folder');
  expect(() => readTar(archive(entry('/a', '0', 'hi')))).toThrow('leaves the folder');
  expect(() => readTar(archive(entry('a', '2')))).toThrow("type '2'");
  expect(() => readTar(archive(entry('a', '0', 'hi', 0o644, 9999)))).toThrow('size 9999');
});

import { expect, test } from 'vitest';
import { byteSize } from '../../cli/report.ts';

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [45_210, '45.2 kB'],
  [999_949, '999.9 kB'],
  [999_950, '1.0 MB'],
  [34_455_488, '34.5 MB'],
])('%d bytes are %s', (bytes, text) => expect(byteSize(bytes)).toBe(text));

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { adapterSlug } from '../../bench/report/name.ts';
import { prepareOut, writeReport } from '../../cli/bench-file.ts';
import { REPORT } from './sample-report.ts';

let folder: string;
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'compconv-out-'))));
afterEach(() => rm(folder, { recursive: true }));

test.each([
  ['nvidia-h100 (nvidia, hopper)', 'nvidia-h100'],
  ['llvmpipe (LLVM 19.1.7, 256 bits) (mesa, llvmpipe), software', 'llvmpipe'],
  ['google, swiftshader, software', 'google-swiftshader'],
  ['../../etc/passwd', 'etc-passwd'],
  ['', 'adapter'],
])('%s is %s in a file name', (name, slug) => expect(adapterSlug(name)).toBe(slug));

test('a file is written under its own name, and replaced', async () => {
  const path = join(folder, 'mine.json');
  await prepareOut(path);
  expect(await writeReport(path, REPORT)).toBe(path);
  expect(await writeReport(path, { ...REPORT, versions: { engine: '9' } })).toBe(path);
  const text = await readFile(path, 'utf8');
  expect(JSON.parse(text)).toEqual({ ...REPORT, versions: { engine: '9' } });
  expect(text.startsWith('{\n  "format": 2,\n  "date": ')).toBe(true);
  expect(text.endsWith('}\n')).toBe(true);
});

test('in a folder: by adapter and date; another number for other options, the same one for the same', async () => {
  const other = { ...REPORT, options: { ...REPORT.options, runs: 2 } };
  const later = { ...REPORT, date: '2026-11-24T13:00:00.000Z' };
  const path = join(folder, 'reports/new/');
  await prepareOut(path);
  for (const report of [REPORT, other, later, other, { ...REPORT, versions: { engine: '9' } }]) await writeReport(path, report);
  const names = ['fast-1-2026-11-24-2.json', 'fast-1-2026-11-24-3.json', 'fast-1-2026-11-24.json'];
  expect((await readdir(path)).sort()).toEqual(names);
  expect(JSON.parse(await readFile(join(path, names[2]), 'utf8'))).toEqual(later);
});

test('what is no report is left alone', async () => {
  await writeFile(join(folder, 'fast-1-2026-11-24.json'), 'notes');
  await mkdir(join(folder, 'fast-1-2026-11-24-2.json'));
  expect(await writeReport(folder, REPORT)).toBe(join(folder, 'fast-1-2026-11-24-3.json'));
  expect(await readFile(join(folder, 'fast-1-2026-11-24.json'), 'utf8')).toBe('notes');
});

test('a path that cannot be written is told beforehand', async () => {
  await expect(prepareOut(join(folder, 'none/report.json'))).rejects.toMatchObject({ code: 'io' });
  await writeFile(join(folder, 'file'), '');
  await expect(prepareOut(join(folder, 'file/reports/'))).rejects.toMatchObject({ code: 'io' });
  await expect(prepareOut('/proc/report.json')).rejects.toMatchObject({ code: 'io' });
  await prepareOut(join(folder, 'file'));
  await prepareOut(folder);
  expect(await readdir(folder)).toEqual(['file']);
});

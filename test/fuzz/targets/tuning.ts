/** Tuning records from a file or a database: whatever is there, a record through and through or none, and nothing good is lost. */
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { fileTuningCache } from '../../../cli/tuning-file.ts';
import { readDepths } from '../../../cli/files.ts';
import { isAbout, lookUp, parseTuningRecord, type TuningRecord } from '../../../src/runtime/tuning-cache.ts';
import { damaged, damages, editedJson, jsonEdits } from '../mutations.ts';
import { mustEqual, outcomeOf } from '../outcome.ts';
import { defineTarget } from '../target.ts';

const RECORD: TuningRecord = {
  adapter: 'some GPU',
  signatures: {
    'conv2d 1 2': { chosen: 'b', timesMs: { a: 0.5, b: 0.25 }, excluded: { c: 'does not compile' } },
    'linear 3': { chosen: 'a', timesMs: { a: 1 }, excluded: {} },
  },
};
const CHOICE = { signature: 'conv2d 1 2', candidates: ['a', 'b', 'c'] };

const folder = mkdtempSync(join(tmpdir(), 'compconv-fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const text = fc.record({ edits: jsonEdits, damages: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, damages) });
const textOf = (value: unknown, { edits, damages }: { edits: Parameters<typeof editedJson>[1]; damages: Parameters<typeof damaged>[1] }) =>
  damaged(Buffer.from(editedJson(value, edits)), damages);

export const tuningFiles = defineTarget('tuning-file', 150, text, async (plan) => {
  const path = join(folder, 'tuning.json');
  await writeFile(path, textOf({ version: 1, records: { one: RECORD, two: RECORD } }, plan));
  const warnings: string[] = [];
  const open = () => fileTuningCache(path, (warning) => warnings.push(warning));
  const cache = open();
  const [one, two] = [await cache.get('one'), await cache.get('two')];
  for (const record of [one, two]) if (record) checkRecord(record);
  if (warnings.length > 1) throw new Error('warned twice');
  await cache.set('one', RECORD);
  mustEqual(await open().get('one'), RECORD, 'what was set');
  mustEqual(await open().get('two'), two, 'what was there');
});

export const tuningRecords = defineTarget(
  'tuning-record',
  300,
  fc.oneof(jsonEdits.map((edits) => JSON.parse(editedJson(RECORD, edits) || 'null') as unknown), fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true })),
  async (value) => {
    const record = parseTuningRecord(value);
    if (record) checkRecord(record);
    // A cache of the app's own may give anything.
    const found = await lookUp({ get: async () => value as TuningRecord, set: async () => {} }, 'key');
    mustEqual(found, record, 'found in a cache');
  },
);

/** What uses it: a kernel is taken only if it was measured. */
function checkRecord(record: TuningRecord): void {
  mustEqual(JSON.parse(JSON.stringify(record)), record, 'record as JSON');
  for (const signature of Object.values(record.signatures)) {
    if (isAbout(signature, CHOICE as never)) mustEqual(typeof signature.timesMs[signature.chosen], 'number', 'time of the chosen kernel');
  }
}

export const depthFiles = defineTarget('depth-file', 150, text, async (plan) => {
  const path = join(folder, 'depths.json');
  const bytes = textOf({ conv1: 1, 'layer1.0.conv1': 2 }, plan);
  await writeFile(path, bytes);
  const { value } = await outcomeOf(['invalid-file'], () => readDepths(path));
  if (value) mustEqual(value, JSON.parse(Buffer.from(bytes).toString()), 'depths');
});

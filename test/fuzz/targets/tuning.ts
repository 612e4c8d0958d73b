/** Tuning records from a database or a cache of the app's: whatever is there, a record through and through or none. */
import fc from 'fast-check';
import { isAbout, lookUp, parseTuningRecord, type TuningRecord } from '../../../src/runtime/tuning-cache.ts';
import { editedJson, jsonEdits } from '../mutations.ts';
import { mustEqual } from '../outcome.ts';
import { defineTarget } from '../target.ts';

export const RECORD: TuningRecord = {
  adapter: 'some GPU',
  signatures: {
    'conv2d 1 2': { chosen: 'b', timesMs: { a: 0.5, b: 0.25 }, excluded: { c: 'does not compile' } },
    'linear 3': { chosen: 'a', timesMs: { a: 1 }, excluded: {} },
  },
};
const CHOICE = { signature: 'conv2d 1 2', candidates: ['a', 'b', 'c'] };

export const tuningRecords = defineTarget(
  'tuning-record',
  300,
  fc.oneof(fc.record({ edits: jsonEdits }), fc.record({ value: fc.anything({ withBigInt: true, withDate: true, withMap: true, withTypedArray: true }) })),
  async (given) => {
    const value: unknown = 'edits' in given ? JSON.parse(editedJson(RECORD, given.edits) || 'null') : given.value;
    const record = parseTuningRecord(value);
    if (record) checkRecord(record);
    // A cache of the app's own may give anything.
    const found = await lookUp({ get: async () => value as TuningRecord, set: async () => {} }, 'key');
    mustEqual(found, record, 'found in a cache');
  },
);

/** It can be kept as JSON, and a kernel is taken only if it was measured, or is the predicted one. */
export function checkRecord(record: TuningRecord): void {
  mustEqual(parseTuningRecord(JSON.parse(JSON.stringify(record))) !== undefined, true, 'whether it is one after being kept');
  for (const signature of Object.values(record.signatures)) {
    if (!isAbout(signature, CHOICE as never)) continue;
    mustEqual(signature.chosen === CHOICE.candidates[0] || Object.hasOwn(signature.timesMs, signature.chosen), true, 'whether the choice is good');
  }
}

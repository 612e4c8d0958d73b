/** Files that the command line reads by itself: tuning results, depths, inputs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { readDepths, readInput } from '../../../cli/files.ts';
import { fileTuningCache } from '../../../cli/tuning-file.ts';
import { damaged, damages, editedJson, jsonEdits } from '../mutations.ts';
import { mustEqual, outcomeOf } from '../outcome.ts';
import { readByTheBook } from '../safetensors-oracle.ts';
import { defineTarget } from '../target.ts';
import { build, file } from './safetensors.ts';
import { checkRecord, RECORD } from './tuning.ts';

const folder = mkdtempSync(join(tmpdir(), 'compconv-fuzz-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const text = fc.record({ edits: jsonEdits, damages: fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, damages) });
const textOf = (value: unknown, { edits, damages }: { edits: Parameters<typeof editedJson>[1]; damages: Parameters<typeof damaged>[1] }) =>
  damaged(Buffer.from(editedJson(value, edits)), damages);

/** Nothing good is lost when something is set. */
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
  mustEqual(JSON.stringify(await open().get('two')), JSON.stringify(two), 'what was there');
});

export const depthFiles = defineTarget('depth-file', 150, text, async (plan) => {
  const path = join(folder, 'depths.json');
  const bytes = textOf({ conv1: 1, 'layer1.0.conv1': 2 }, plan);
  await writeFile(path, bytes);
  const { value } = await outcomeOf(['invalid-file'], () => readDepths(path));
  if (value) mustEqual(value, JSON.parse(Buffer.from(bytes).toString()), 'depths');
});

export const inputFiles = defineTarget('input-file', 150, file, async (plan) => {
  const path = join(folder, 'input.safetensors');
  // Most files have others.
  const tensors = plan.tensors.slice(0, 1).map(({ dtype, shape }) => ({ name: 'input', dtype, shape: [...shape, 2, 3, 2, 3].slice(0, 4) }));
  const bytes = build(plan.seed % 4 === 0 ? plan : { ...plan, tensors });
  await writeFile(path, bytes);
  const { value } = await outcomeOf(['invalid-file', 'invalid-weights'], () => readInput(path));
  const expected = readByTheBook(bytes)?.tensors;
  const { shape = [], values } = expected?.get('input') ?? {};
  const isInput = expected?.size === 1 && values !== undefined && shape.length === 4 && !shape.includes(0);
  mustEqual(value && { shape: value.shape, values: [...value.data] }, isInput ? { shape, values } : undefined, 'input');
});

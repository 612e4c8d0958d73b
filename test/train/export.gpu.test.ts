/**
 * From `train/` to the engine: networks that PyTorch made and `export.py` wrote are loaded as they are, and compute and cost what
 * they do there. Those in `test/fixtures/train` always; where there is PyTorch, they are made again, and others from a new seed.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { networkCost, parseSafetensors, readModel } from '../../src/index.ts';
import { expectClose } from '../support/compare.ts';
import { useGpu } from '../support/gpu.ts';
import { pythonWithTorch, runPython } from './python.ts';

/** What PyTorch says of a network. */
interface Expected {
  readonly inputShape: readonly [n: number, c: number, h: number, w: number];
  readonly input: readonly number[];
  readonly logits: readonly (readonly number[])[];
  readonly macs: number;
  readonly params: number;
}

const FIXTURES = fileURLToPath(new URL('../fixtures/train', import.meta.url));
const gpu = useGpu();

const readExpected = (folder: string) => JSON.parse(readFileSync(join(folder, 'networks.json'), 'utf8')) as Record<string, Expected>;
const readNetwork = (folder: string, name: string) => readFileSync(join(folder, `${name}.safetensors`));

async function expectSameAsPyTorch(folder: string, name: string, expected: Expected) {
  const [batch] = expected.inputShape;
  const file = readNetwork(folder, name);
  const { graph, weights } = await readModel(file, { batch });
  const logits = await gpu.run(graph, weights, { shape: expected.inputShape, data: new Float32Array(expected.input) });
  expectClose(logits.data, expected.logits.flat(), { relativeL2: 1e-5 });
  const { macs, params } = networkCost((await readModel(file)).graph).total;
  expect({ macs, params }).toEqual({ macs: expected.macs, params: expected.params });
}

/** The script that made the fixtures, run into a folder of its own. */
async function makeFixtures(python: string, seed: number): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'compconv-train-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const { status, output } = await runPython(python, ['make_fixtures.py', folder, '--seed', String(seed)]);
  expect(status, output).toBe(0);
  return folder;
}

describe('what train/ has exported', () => {
  it.each(Object.entries(readExpected(FIXTURES)))('%s', (name, expected) => expectSameAsPyTorch(FIXTURES, name, expected));

  it('is a whole model: labels, preprocessing, options', async () => {
    const { labels, preprocess, options } = await readModel(readNetwork(FIXTURES, 'trained'));
    expect(labels).toEqual(['top', 'middle', 'bottom']);
    expect(preprocess).toEqual({ color: 'gray', size: 10, mean: [0.4], std: [0.3] });
    expect(options).toMatchObject({ arch: 'resnet_small14', c0: 4, widths: [8, 12], classes: 3 });
  });
});

if (pythonWithTorch) {
  it('the fixtures made again: the same names, shapes, metadata and costs, and logits up to rounding', async () => {
    const folder = await makeFixtures(pythonWithTorch!, 0);
    const [again, before] = [readExpected(folder), readExpected(FIXTURES)];
    expect(Object.keys(again)).toEqual(Object.keys(before));
    for (const [name, { logits, ...others }] of Object.entries(before)) {
      const [ours, theirs] = [folder, FIXTURES].map((place) => parseSafetensors(readNetwork(place, name)));
      expect([...ours.shapes], name).toEqual([...theirs.shapes]);
      expect(ours.metadata, name).toEqual(theirs.metadata);
      const { logits: logitsAgain, ...othersAgain } = again[name];
      expect(othersAgain, name).toEqual(others);
      // Training of another PyTorch, or on another processor, rounds otherwise.
      expectClose(logitsAgain.flat(), logits.flat(), { relativeL2: 1e-3 });
    }
  });

  it('networks of a new seed', async () => {
    const seed = Math.floor(Math.random() * 1e6) + 1;
    console.log(`seed ${seed}`);
    const folder = await makeFixtures(pythonWithTorch!, seed);
    for (const [name, expected] of Object.entries(readExpected(folder))) await expectSameAsPyTorch(folder, name, expected);
  });
} else {
  it('there is no PyTorch here: the fixtures are not made again, nor others', () => expect(pythonWithTorch).toBeUndefined());
}

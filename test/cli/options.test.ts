import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { benchRequest } from '../../cli/commands/bench.ts';
import { DEFAULT_REQUEST } from '../../bench/request.ts';
import { exitStatus, failureLine, oneLine } from '../../cli/failure.ts';
import {
  addNetworkOptions,
  addSizeOptions,
  completeNetworkOptions,
  inputSize,
  integer,
  networkOptions,
  positiveNumber,
  type NetworkFlags,
} from '../../cli/options.ts';
import { quiet, runProgram } from '../../cli/program.ts';
import { milliseconds, table } from '../../cli/report.ts';
import { CompConvError } from '../../src/errors.ts';

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'compconv-options-'))));
afterAll(() => rm(folder, { recursive: true }));

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

/** What commander makes of the arguments of a command with the network and size options. */
function parse(...args: string[]): NetworkFlags & { size?: number; batch?: number } {
  const command = addSizeOptions(addNetworkOptions(quiet(new Command('test'))));
  return command.parse(args, { from: 'user' }).opts();
}

describe('numbers', () => {
  test('integers', () => {
    expect(integer()('1')).toBe(1);
    expect(integer(0, 2 ** 32 - 1)('4294967295')).toBe(4294967295);
  });

  test.each(['0', '-1', '1.5', '1e3', '', ' 1', '0x10', 'ten', '99999999999'])('%j is no positive integer', (text) => {
    expect(() => integer()(text)).toThrow('integer from 1 to');
  });

  test('numbers above 0', () => {
    expect(positiveNumber('128')).toBe(128);
    expect(positiveNumber('0.5')).toBe(0.5);
    for (const text of ['0', '-3', 'NaN', 'Infinity', '', ' ', 'x'])
      expect(() => positiveNumber(text)).toThrow('above 0');
  });
});

describe('network options', () => {
  test('none are given: none are set, so that the metadata of a file counts', async () => {
    expect(await networkOptions(parse())).toEqual({});
    expect(inputSize(parse())).toEqual({});
  });

  test('all of them', async () => {
    const depths = await file('depths.json', '{"layer1.0.conv1": 2}');
    const flags = parse(
      ...'--arch resnet18 --c0 64 --inner bn-relu --shuffle-groups 4 --classes 7 --in-channels 2'.split(' '),
      '--depths',
      depths,
    );
    expect(await completeNetworkOptions(flags)).toEqual({
      arch: 'resnet18',
      c0: 64,
      depths: { 'layer1.0.conv1': 2 },
      inner: 'bn-relu',
      shuffleGroups: 4,
      classes: 7,
      inChannels: 2,
    });
    expect(inputSize(parse('--size', '96', '--batch', '3'))).toEqual({ batch: 3, height: 96, width: 96 });
  });

  test.each([
    [['--plain', '--c0', '64'], "option '--plain' cannot be used with option '--c0 <n>'"],
    [['--plain', '--depths', 'x'], "option '--plain' cannot be used with option '--depths <file>'"],
    [['--c0', 'big'], 'It must be a number above 0'],
    [['--inner', 'relu'], 'Allowed choices are linear, bn-relu'],
    [['--c1', '3'], "unknown option '--c1'"],
    [['--arch'], 'argument missing'],
  ])('%j is refused', (args, message) => {
    expect(() => parse(...args)).toThrow(message);
  });

  test('an architecture is needed where no file names one', async () => {
    await expect(completeNetworkOptions(parse('--c0', '64'))).rejects.toThrow('Give --arch');
  });

  test.each([
    ['{"a": 1', 'is not valid JSON'],
    ['[1]', 'must be a JSON object'],
    ['null', 'must be a JSON object'],
    ['{"conv1": "2"}', '"conv1": the depth must be a number, got "2"'],
    [`{"conv1": ${'['.repeat(20_000)}${']'.repeat(20_000)}}`, '"conv1": the depth must be a number, got [an array]'],
  ])('a depths file of %.40s', async (content, message) => {
    const path = await file('bad.json', content);
    await expect(networkOptions({ depths: path })).rejects.toMatchObject({
      code: 'invalid-file',
      message: expect.stringContaining(`${path}: ${message}`) as string,
    });
  });

  test('a depths file that is not there', async () => {
    await expect(networkOptions({ depths: join(folder, 'none.json') })).rejects.toMatchObject({ code: 'io' });
  });

  test('bench: the request of the page, from flags', async () => {
    const base = { runs: 3, seed: 7 };
    expect(await benchRequest({ ...base, size: 64 })).toEqual({ ...DEFAULT_REQUEST, ...base, size: 64 });
    const sectionsOf = async (flags: object) => (await benchRequest({ ...base, ...flags })).sections;
    expect(await sectionsOf({ layers: true, adapter: true })).toEqual(['adapter', 'layers']);
    expect(await sectionsOf({ layers: true, peers: { peers: ['tfjs'] } })).toEqual(['times', 'layers']);
    expect(await sectionsOf({ all: true })).toEqual(['times', 'adapter', 'layers', 'scaling']);
    const depths = await file('depths.json', '{"conv1": 1}');
    const given = { depths, classes: 5, inner: 'bn-relu', without: ['free-slices'], arch: { networks: ['resnet18'] } } as const;
    expect(await benchRequest({ ...base, ...given })).toEqual({
      ...DEFAULT_REQUEST,
      ...base,
      networks: ['resnet18'],
      c0: [],
      depths: { conv1: 1 },
      classes: 5,
      inner: 'bn-relu',
      withoutPasses: ['free-slices'],
    });
    expect(await benchRequest({ ...base, depths, c0: { c0: [64] } })).toMatchObject({ c0: [64], depths: { conv1: 1 } });
  });
});

describe('failures', () => {
  test('exit status by the kind of error', () => {
    const codes = ['invalid-argument', 'invalid-graph', 'invalid-file', 'invalid-weights', 'io'] as const;
    for (const code of codes) expect(exitStatus(new CompConvError(code, 'x'))).toBe(2);
    for (const code of ['webgpu-unavailable', 'device-lost', 'limit-exceeded', 'internal'] as const) {
      expect(exitStatus(new CompConvError(code, 'x'))).toBe(1);
    }
    expect(exitStatus(new CompConvError('aborted', 'x'))).toBe(130);
    expect(exitStatus(new TypeError('x'))).toBe(1);
  });

  test('one line, lists cut short, nothing that rewrites a terminal', () => {
    expect(oneLine('plain')).toBe('plain');
    expect(oneLine('does not fit\nmissing (2):\n  a [1]\n  b [2]\nunexpected (1):\n  c [3]')).toBe(
      'does not fit; missing (2): a [1], b [2]; unexpected (1): c [3]',
    );
    expect(oneLine(`missing:${[1, 2, 3, 4, 5, 6, 7].map((n) => `\n  ${n}`).join('')}`)).toBe(
      'missing: 1, 2, 3, 4, 5, and 2 more',
    );
    expect(oneLine('a\u001b[2Jb\rc')).toBe('a?[2Jb?c');
    expect(failureLine(new TypeError('x is\nnot'))).toBe('unexpected TypeError: x is; not');
  });

  test('interrupted work ends with 130 and no word', async () => {
    const controller = new AbortController();
    const program = quiet(new Command('test')).action(() => {
      controller.abort();
      throw new CompConvError('disposed', 'because of the interruption');
    });
    expect(await runProgram(program, [], controller.signal)).toBe(130);
  });
});

test('tables align numbers to the right, text to the left', () => {
  expect(
    table(
      ['name', 'count'],
      [
        ['a', '1'],
        ['long name', '1,000'],
      ],
    ),
  ).toEqual(['name       count', 'a              1', 'long name  1,000']);
});

test('durations keep about three digits', () => {
  expect([0.1234, 12.345, 123.4, 12345].map(milliseconds)).toEqual(['0.123 ms', '12.3 ms', '123 ms', '12,345 ms']);
});

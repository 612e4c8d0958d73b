/** Turns on a device: one at a time, clients in rotation, and an abort at any moment. */
import { expect, test } from 'vitest';
import { Turns } from '../../src/runtime/turns.ts';

const code = (expected: string) => expect.objectContaining({ name: 'CompConvError', code: expected });

/** Work that says when it began, and ends when it is told to. */
function made(log: string[], name: string) {
  let end = () => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  return {
    end,
    work: async () => {
      log.push(name);
      await ended;
      return name;
    },
  };
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

test('one piece of work at a time; a client with one waits for one of each other client, not for their queues', async () => {
  const turns = new Turns();
  const log: string[] = [];
  let running = 0;
  const work = (name: string) => async () => {
    expect(++running).toBe(1);
    log.push(name);
    await settled();
    running--;
    return name;
  };
  const [a, b, c] = [{}, {}, {}];
  const results = [
    ...['a1', 'a2', 'a3', 'a4'].map((name) => turns.take(a, work(name))),
    ...['b1', 'b2'].map((name) => turns.take(b, work(name))),
    turns.take(c, work('c1')),
  ];
  expect(await Promise.all(results)).toEqual(['a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1']);
  expect(log).toEqual(['a1', 'a2', 'b1', 'c1', 'a3', 'b2', 'a4']);
});

test('what fails rejects, and the next one has its turn', async () => {
  const turns = new Turns();
  const failing = turns.take({}, async () => {
    throw new Error('no');
  });
  const next = turns.take({}, async () => 1);
  await expect(failing).rejects.toThrow('no');
  await expect(next).resolves.toBe(1);
});

test('aborted while it waits, work is not begun', async () => {
  const turns = new Turns();
  const log: string[] = [];
  const [first, second, third] = ['first', 'second', 'third'].map((name) => made(log, name));
  const controller = new AbortController();
  const client = {};
  const running = turns.take(client, first.work);
  const aborted = turns.take(client, second.work, controller.signal);
  const waiting = turns.take(client, third.work);
  controller.abort();
  await expect(aborted).rejects.toEqual(code('aborted'));
  first.end();
  third.end();
  await expect(Promise.all([running, waiting])).resolves.toEqual(['first', 'third']);
  expect(log).toEqual(['first', 'third']);
});

test('aborted while it runs, it rejects at once, and the next one waits for its end', async () => {
  const turns = new Turns();
  const log: string[] = [];
  const [first, second] = ['first', 'second'].map((name) => made(log, name));
  const controller = new AbortController();
  const aborted = turns.take({}, first.work, controller.signal);
  const waiting = turns.take({}, second.work);
  controller.abort();
  await expect(aborted).rejects.toEqual(code('aborted'));
  await settled();
  expect(log).toEqual(['first']);
  first.end();
  second.end();
  await expect(waiting).resolves.toBe('second');
});

test('aborted before, it is not even queued', async () => {
  const turns = new Turns();
  await expect(turns.take({}, async () => 1, AbortSignal.abort('why'))).rejects.toMatchObject({ code: 'aborted', cause: 'why' });
  await expect(turns.take({}, async () => 2)).resolves.toBe(2);
});

/** Long waits for Dawn are asked for by a timer, short ones as Dawn does it, and nobody else notices. */
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

/** Which timers are asked for, in order. */
let calls: string[];
/** Of `performance.now`, ms. */
let now: number;

const { setImmediate, setTimeout } = globalThis;

beforeEach(async () => {
  calls = [];
  now = 1000;
  vi.resetModules();
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const recorded = (name: string, timer: (...values: never[]) => unknown) => (...values: never[]) => {
    calls.push(name);
    return timer(...values);
  };
  globalThis.setImmediate = Object.assign(recorded('immediate', setImmediate), setImmediate) as typeof setImmediate;
  globalThis.setTimeout = recorded('timeout', setTimeout) as typeof setTimeout;
  const { pollGently } = await import('../../src/node/gentle-polling.ts');
  pollGently();
  pollGently();
});

afterEach(() => {
  Object.assign(globalThis, { setImmediate, setTimeout });
  vi.restoreAllMocks();
});

/** Waits as Dawn does: asks with a nameless native function, which a proxy of one is, and again until `isOver`. `ms` pass with each question. */
function wait(isOver: () => boolean, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const ask = () => {
      const callback = new Proxy(Function.prototype, {
        apply() {
          now += ms;
          if (isOver()) resolve();
          else ask();
        },
      });
      globalThis.setImmediate(callback as () => void);
    };
    ask();
  });
}

function times(count: number): () => boolean {
  let asked = 0;
  return () => ++asked === count;
}

test('a wait is asked for at once, and by a timer when it has become long', async () => {
  await wait(times(8), 10);
  expect(calls).toEqual([...Array<string>(5).fill('immediate'), ...Array<string>(3).fill('timeout')]);
});

test('the next wait is a new one, also right after a long one', async () => {
  await wait(times(3), 60);
  calls = [];
  await wait(times(3), 10);
  expect(calls).toEqual(['immediate', 'immediate', 'immediate']);
});

test("others' callbacks come as before, with their values, also while a wait is long", async () => {
  const long = wait(() => calls.includes('other'), 60);
  await new Promise<void>((resolve) => {
    const own = (a: number, b: number) => {
      calls.push('other');
      expect([a, b]).toEqual([1, 2]);
      resolve();
    };
    globalThis.setImmediate(own, 1, 2);
  });
  await long;
  calls = [];
  globalThis.setImmediate(() => {});
  globalThis.setImmediate((() => {}).bind(undefined));
  expect(calls).toEqual(['immediate', 'immediate']);
  expect(await promisify(globalThis.setImmediate)('value')).toBe('value');
  clearImmediate(globalThis.setImmediate(() => calls.push('cleared')));
  await promisify(setImmediate)();
  expect(calls).not.toContain('cleared');
});

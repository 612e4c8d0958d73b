/** What is fuzzed: kinds of input, and what must hold of each. The suite runs every target with a fixed seed, `npm run fuzz` with new ones. */
import fc from 'fast-check';

export interface Target {
  readonly name: string;
  /** How many inputs the test suite tries: about a third of a second's worth. */
  readonly runs: number;
  readonly property: fc.IAsyncProperty<[unknown]>;
}

/** One input may take so long, on a machine that does other things too. */
const MAX_MS = 5000;
/** And leave so much behind in typed arrays, whatever its headers claim. */
const MAX_BYTES = 256 * 2 ** 20;

const PROTOTYPES = [Object.prototype, Array.prototype, Function.prototype, String.prototype, Number.prototype];
const ownNames = (prototype: object) => Reflect.ownKeys(prototype).map(String).join();
const OWN_NAMES = PROTOTYPES.map(ownNames);

/** @param check fails for an input that is not dealt with as it should be; on top of it come bounds of time and memory, and untouched prototypes */
export function defineTarget<T>(name: string, runs: number, inputs: fc.Arbitrary<T>, check: (input: T) => unknown): Target {
  const property = fc.asyncProperty(inputs, async (input) => {
    const [start, before] = [performance.now(), process.memoryUsage().arrayBuffers];
    await check(input);
    const [ms, bytes] = [performance.now() - start, process.memoryUsage().arrayBuffers - before];
    if (ms > MAX_MS) throw new Error(`took ${Math.round(ms)} ms`);
    if (bytes > MAX_BYTES) throw new Error(`left ${bytes} bytes behind`);
    PROTOTYPES.forEach((prototype, i) => {
      if (ownNames(prototype) !== OWN_NAMES[i]) throw new Error(`changed ${prototype.constructor.name}.prototype`);
    });
  });
  return { name, runs, property: property as fc.IAsyncProperty<unknown> as fc.IAsyncProperty<[unknown]> };
}

/**
 * Dawn in Node learns what has finished by asking: as long as anything is awaited, it asks again by `setImmediate`, which keeps a core
 * busy. On a software adapter that core is missed by what is awaited.
 *
 * So waits that have become long are asked for once in a millisecond. Short ones are asked for as Dawn does it: their times stay exact.
 */

/** Milliseconds of a wait before it counts as long: those of the longer interval are 2 % of it. */
const LONG = 50;

let isGentle = false;

/** Makes Dawn's waits gentle, from now on, in the whole process. Other callers' `setImmediate` is as before. */
export function pollGently(): void {
  if (isGentle) return;
  isGentle = true;
  // As they are now: a test of somebody's may replace them.
  const { setImmediate, setTimeout } = globalThis;
  let waitingSince: number | undefined;
  let asksAgain = false;
  const gentle = (callback: (...values: unknown[]) => void, ...values: unknown[]): unknown => {
    if (!isNative(callback)) return setImmediate(callback, ...values);
    asksAgain = true;
    waitingSince ??= performance.now();
    const ask = () => {
      asksAgain = false;
      callback(...values);
      // What is awaited next is another wait.
      if (!asksAgain) waitingSince = undefined;
    };
    return performance.now() - waitingSince < LONG ? setImmediate(ask) : setTimeout(ask, 1);
  };
  // With what Node hangs on it, for `promisify`.
  globalThis.setImmediate = Object.assign(gentle, setImmediate) as typeof setImmediate;
}

/** Whether it is a nameless function of native code, as Dawn makes one for each question; bound functions have names. */
function isNative(callback: unknown): boolean {
  return typeof callback === 'function' && callback.name === '' && /\{ \[native code\] \}$/.test(Function.prototype.toString.call(callback));
}

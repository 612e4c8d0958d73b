/**
 * How a page learns that its worker is gone, which no event tells: the worker holds a lock while it lives, and the page waits for
 * it. Where there are no locks (a sandboxed frame, say) it does not learn that.
 */

/** Holds the lock from now on. @returns what lets go of it; undefined where there are no locks */
export async function holdLifeline(name: string): Promise<(() => void) | undefined> {
  try {
    return await new Promise((held, fail) => {
      navigator.locks.request(name, () => new Promise<void>((release) => held(release))).catch(fail);
    });
  } catch {
    return undefined;
  }
}

/** Calls `onGone` when whoever holds the lock is gone; not after `signal`. */
export function watchLifeline(name: string, onGone: () => void, signal: AbortSignal): void {
  // It rejects by the signal.
  navigator.locks.request(name, { signal }, onGone).catch(() => {});
}

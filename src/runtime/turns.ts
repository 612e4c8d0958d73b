/** Whose turn it is on a device: one piece of work at a time, clients in rotation, so that a long queue of one holds up nobody else. */
import { abortError, throwIfAborted } from '../errors.ts';

interface Waiting {
  /** Never rejects. */
  readonly run: () => Promise<void>;
}

export class Turns {
  /** In the order in which clients get their next turn. */
  readonly #waiting = new Map<object, Waiting[]>();
  #isBusy = false;

  /**
   * Does `work` when it is the client's turn, in the order in which the client asked. Aborted, it is not begun; if it has begun, the
   * result is rejected at once, and the next turn begins when the work has come to its end.
   * @throws aborted; what `work` does
   */
  take<T>(client: object, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      throwIfAborted(signal);
      const onAbort = () => {
        this.#withdraw(client, waiting);
        reject(abortError(signal!));
      };
      const waiting: Waiting = {
        run: async () => {
          try {
            resolve(await work());
          } catch (error) {
            reject(error as Error);
          } finally {
            signal?.removeEventListener('abort', onAbort);
          }
        },
      };
      signal?.addEventListener('abort', onAbort);
      const line = this.#waiting.get(client);
      if (line) line.push(waiting);
      else this.#waiting.set(client, [waiting]);
      if (!this.#isBusy) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    for (let next = this.#next(); next; next = this.#next()) await next.run();
    this.#isBusy = false;
  }

  #next(): Waiting | undefined {
    const [first] = this.#waiting;
    if (!first) return undefined;
    const [client, line] = first;
    const next = line.shift();
    // To the end of the rotation.
    this.#waiting.delete(client);
    if (line.length > 0) this.#waiting.set(client, line);
    return next;
  }

  #withdraw(client: object, waiting: Waiting): void {
    const line = this.#waiting.get(client) ?? [];
    const index = line.indexOf(waiting);
    if (index !== -1) line.splice(index, 1);
    if (line.length === 0) this.#waiting.delete(client);
  }
}

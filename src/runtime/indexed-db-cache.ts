/** Tuning records in a browser's IndexedDB. */
import { CompConvError } from '../errors.ts';
import { parseTuningRecord, type TuningCache } from './tuning-cache.ts';

const STORE = 'tuning';

/**
 * A cache in the database of that name of the page's origin. It is opened for each access, so that nothing has to be closed.
 * Its methods throw `io` where the browser keeps nothing, in private windows for example.
 */
export function indexedDbTuningCache(database = 'compconv-webgpu'): TuningCache {
  const access = async <T>(mode: IDBTransactionMode, request: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> => {
    try {
      const db = await open(database);
      try {
        const transaction = db.transaction(STORE, mode);
        const committed = new Promise<void>((resolve, reject) => {
          transaction.oncomplete = () => resolve();
          transaction.onabort = () => reject(transaction.error);
        });
        const [result] = await Promise.all([settled(request(transaction.objectStore(STORE))), committed]);
        return result;
      } finally {
        db.close();
      }
    } catch (cause) {
      throw new CompConvError('io', `tuning cache: IndexedDB failed: ${(cause as Error | null)?.message ?? 'aborted'}`, { cause });
    }
  };
  return {
    get: async (key) => parseTuningRecord(await access<unknown>('readonly', (store) => store.get(key))),
    set: async (key, record) => void (await access('readwrite', (store) => store.put(record, key))),
  };
}

function open(database: string): Promise<IDBDatabase> {
  const request = indexedDB.open(database, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return settled(request);
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('no reason given'));
  });
}

/** How long it takes to load a library, and how many bytes it is, as the browser's resource timing tells. */
import { peerError } from './peer.ts';

export interface Download<T> {
  readonly value: T;
  readonly downloadMs: number;
  readonly downloadBytes?: number;
}

/** Awaits `load` and watches what is fetched meanwhile. @throws io, with `title` in front */
export async function download<T>(title: string, load: () => Promise<T>): Promise<Download<T>> {
  // Not the page's own list, which is cut off at 250 entries.
  const entries: PerformanceEntry[] = [];
  const watching = new PerformanceObserver((list) => void entries.push(...list.getEntries()));
  watching.observe({ type: 'resource' });
  const start = performance.now();
  try {
    const value = await load();
    const downloadMs = performance.now() - start;
    entries.push(...watching.takeRecords());
    const bytes = entries.reduce((sum, entry) => sum + (entry as PerformanceResourceTiming).encodedBodySize, 0);
    return { value, downloadMs, ...(bytes > 0 && { downloadBytes: bytes }) };
  } catch (cause) {
    throw peerError('io', `${title} could not be loaded`, cause);
  } finally {
    watching.disconnect();
  }
}

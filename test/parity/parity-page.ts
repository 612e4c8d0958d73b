/** The page of `pytorch.browser.test.ts`: compares one fixture by its path, on this browser's adapter. */
import { openDevice } from '../../src/runtime/device.ts';
import { compareModule, compareNetwork, type NetworkFixture } from './pytorch.ts';

declare global {
  interface Window {
    /** Plain arrays, since they cross into the test's process. */
    compare(path: string): Promise<{ actual: number[]; expected: number[] }>;
  }
}

const engine = await openDevice();

window.compare = async (path) => {
  const response = await fetch(`../fixtures/${path}`);
  const { actual, expected } = path.endsWith('.json')
    ? await compareNetwork(engine, (await response.json()) as NetworkFixture)
    : await compareModule(engine, path, new Uint8Array(await response.arrayBuffer()));
  return { actual: [...actual], expected: [...expected] };
};

/** The package as such: importing it touches nothing, and it brings one dependency along. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

test('importing the package touches no global of a browser', async () => {
  const touched: string[] = [];
  for (const name of ['navigator', 'document', 'window', 'caches', 'indexedDB']) {
    Object.defineProperty(globalThis, name, { configurable: true, get: () => void touched.push(name) });
  }
  const api = await import('../src/index.ts');
  expect(touched).toEqual([]);
  expect(Object.keys(api).sort()).toEqual([
    'CompConvError', 'DEFAULT_LIMITS', 'GraphBuilder', 'Session', 'adaptiveDepth', 'architectures', 'compConvChannels', 'compress',
    'createNetwork', 'createSession', 'defineGraph', 'graphParams', 'indexedDbTuningCache', 'loadModel', 'networkCost', 'openModelCache',
    'parseSafetensors', 'passNames', 'printPlan', 'readModel', 'schedule', 'schedules', 'seededModel', 'seededWeights', 'summarizePlan',
    'tensor', 'withInputShape', 'writeSafetensors',
  ]);
});

test('wgpu-matrix is the only run-time dependency', () => {
  const { dependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { dependencies: object };
  expect(Object.keys(dependencies)).toEqual(['wgpu-matrix']);
});

import { expect } from 'vitest';
import { growth, NOISE_BYTES, type EnduranceReport } from '../runtime/endurance.ts';

/** Prints what was held, and expects it not to have grown. */
export function expectNoGrowth(report: EnduranceReport): void {
  const { adapter, wrong, loading, running, atEnd } = report;
  console.log(`adapter: ${adapter}`);
  for (const [what, held] of Object.entries({ loading, running })) {
    console.log(`${what}: GPU ${held.gpuBytes.before} B before, ${held.gpuBytes.worst} B at most; heap ${held.heapBytes.join(', ')} B`);
    expect(held.gpuBytes.worst, what).toBe(held.gpuBytes.before);
    expect(growth(held), what).toBeLessThan(NOISE_BYTES);
  }
  expect(wrong).toBe(0);
  expect(atEnd).toEqual({ bytes: 0, objects: 0 });
}

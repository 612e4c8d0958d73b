/** Single CompConvs, and plain convolutions as depth 0, against PyTorch: every case of `fixtures/modules`. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'vitest';
import { defineGraph } from '../../src/graph/graph.ts';
import type { CompConvAttrs } from '../../src/ops/comp-conv.ts';
import type { OpAttrs } from '../../src/ops/node.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import { parseSafetensors } from '../../src/weights/safetensors.ts';
import { expectClose, F32_UNIT_ROUNDOFF } from '../support/compare.ts';

const folder = new URL('../fixtures/modules/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.safetensors'));

/** What the README beside the fixtures calls the case. */
type ModuleCase = Omit<CompConvAttrs, 'op' | 'depth'> & { readonly depth: number };

describe('reference against PyTorch: modules', () => {
  it.each(files)('%s', (file) => {
    const weights = parseSafetensors(readFileSync(new URL(file, folder)));
    const options = JSON.parse(weights.metadata.get('case')!) as ModuleCase;
    const op = options.depth === 0 ? { op: 'conv2d', groups: 1 } : { op: 'comp-conv' };
    const attrs = { ...options, ...op } as OpAttrs;
    const input = weights.get('input');
    const [n, c, h, w] = input.shape;
    const graph = defineGraph(file, [
      { name: 'input', attrs: { op: 'input', shape: { n, h, w, c } }, inputs: [] },
      { name: 'conv', attrs, inputs: ['input'] },
    ]);
    const output = toTensor(runReference(graph, weights, input).get('conv')!);
    // Both sum in float64 and round to float32 once; only halfway cases may differ.
    expectClose(output.data, weights.get('output').data, { relativeL2: 2 * F32_UNIT_ROUNDOFF });
  });
});

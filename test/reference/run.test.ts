/** The reference's runner: what it keeps, where it stops, what it refuses. Its numbers are the other tests' concern. */
import { describe, expect, it } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { graphParams, withInputShape } from '../../src/graph/graph.ts';
import { runReference, toTensor } from '../../src/reference/run.ts';
import { tensor } from '../../src/tensor/tensor.ts';
import { seededWeights } from '../../src/weights/seeded.ts';
import { distinctValues } from '../support/random.ts';

function network() {
  const g = new GraphBuilder();
  const x = g.input({ n: 1, h: 2, w: 3, c: 2 });
  const y = g.add('sum', g.relu('relu', x), x);
  g.linear('fc', g.avgPool('pool', y, 1, 1), 3);
  return g.build('Net');
}

const graph = network();
const weights = seededWeights(graphParams(graph), 1);
const input = tensor([1, 2, 2, 3], distinctValues(12, 1));

describe('runReference', () => {
  it('keeps the value of every node, and reports each when it is ready', () => {
    const seen: string[] = [];
    const values = runReference(graph, weights, input, { onValue: (name) => seen.push(name) });
    expect([...values.keys()]).toEqual(['input', 'relu', 'sum', 'pool', 'fc']);
    expect(seen).toEqual([...values.keys()]);
    expect(toTensor(values.get('input')!)).toEqual(input);
    expect([...toTensor(values.get('sum')!).data]).toEqual([...input.data].map((x) => Math.fround(x + Math.max(x, 0))));
    expect(toTensor(values.get('fc')!).shape).toEqual([1, 3]);
  });

  it('stops behind `until`', () => {
    expect([...runReference(graph, weights, input, { until: 'relu' }).keys()]).toEqual(['input', 'relu']);
    expect(() => runReference(graph, weights, input, { until: 'gone' })).toThrow('reference: Net has no value "gone"');
  });

  it('refuses an input of another shape', () => {
    expect(() => runReference(withInputShape(graph, { n: 1, h: 3, w: 2, c: 2 }), weights, input)).toThrow(
      'reference: Net takes [1, 3, 2, 2] (NHWC), got [1, 2, 2, 3] (NCHW)',
    );
  });

  it('refuses weights that are missing or of another shape', () => {
    const without = { ...weights, shapes: new Map([...weights.shapes].filter(([name]) => name !== 'fc.bias')) };
    expect(() => runReference(graph, without, input)).toThrow('reference: fc.bias must be [3], got none');
    const transposed = seededWeights(new Map([...weights.shapes, ['fc.weight', [2, 3]]]), 1);
    expect(() => runReference(graph, transposed, input)).toThrow('reference: fc.weight must be [3, 2], got [2, 3]');
  });
});

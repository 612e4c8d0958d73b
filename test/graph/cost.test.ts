/** Costs of a small graph, worked out by hand. */
import { expect, test } from 'vitest';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { networkCost } from '../../src/graph/cost.ts';

test('MACs, parameters and bytes per layer and total', () => {
  const g = new GraphBuilder();
  const x = g.input({ n: 2, h: 4, w: 5, c: 3 });
  const y = g.relu('relu', g.batchNorm('bn', g.conv2d('conv', x, 8, { kernelSize: 3, padding: 1 })));
  const z = g.add('add', y, g.conv2d('shortcut', x, 8, { kernelSize: 1, bias: true }));
  g.linear('fc', g.avgPool('pool', z, 1, 1), 10);
  const { layers, total } = networkCost(g.build('small'));
  const columns = layers.map(({ name, macs, params, activationBytes }) => [name, macs, params, activationBytes]);
  expect(columns).toEqual([
    ['conv', 2 * 20 * 9 * 3 * 8, 9 * 3 * 8, (2 * 20 * 3 + 2 * 20 * 8) * 4],
    ['bn', 0, 16, 0],
    ['relu', 0, 0, 0],
    ['shortcut', 2 * 20 * 3 * 8, 3 * 8 + 8, (2 * 20 * 3 + 2 * 20 * 8) * 4],
    ['add', 0, 0, 2 * 20 * 8 * 4],
    ['pool', 0, 0, (2 * 20 * 8 + 2 * 8) * 4],
    ['fc', 2 * 8 * 10, 8 * 10 + 10, (2 * 8 + 2 * 10) * 4],
  ]);
  const sum = (column: number) => columns.reduce((s, row) => s + (row[column] as number), 0);
  expect(total).toEqual({ macs: sum(1), flops: 2 * sum(1), params: sum(2), weightBytes: 4 * sum(2), activationBytes: sum(3) });
});

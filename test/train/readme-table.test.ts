/** The README's table of accuracies is that of the training runs. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const NETWORKS: Readonly<Record<string, string>> = {
  'small ResNet, plain': 'plain',
  'with CompConv16': 'compconv16',
  'with CompConv16, taught by the plain one': 'compconv16-distilled',
  'plain, narrowed to as many MACs': 'narrow',
  'with Ghost modules': 'ghost',
  'with depths by layer, chosen by `compconv search`': 'searched',
  'ResNet18, plain': 'resnet18',
  'CompConv128-ResNet18': 'resnet18-compconv128',
  'ResNet50, plain': 'resnet50',
  'CompConv128-ResNet50': 'resnet50-compconv128',
};

const cells = (row: string) => row.split('|').slice(1, -1).map((cell) => cell.trim());
const rowsBelow = (text: string, heading: string) => {
  const lines = text.slice(text.indexOf(heading)).split('\n').slice(2);
  return lines.slice(0, lines.indexOf('')).map(cells);
};
const short = (count: number) => (count < 1e6 ? `${Math.round(count / 1e3)} k` : `${(count / 1e6).toFixed(1)} M`);

test("the README's accuracies are the results'", () => {
  const shown = rowsBelow(readFileSync(new URL('README.md', ROOT), 'utf8'), '| network | test accuracy |');
  const results = rowsBelow(readFileSync(new URL('train/results/fashion-mnist/table.md', ROOT), 'utf8'), '| network | epochs | test accuracy |');
  const byName = new Map(results.map(([name, ...values]) => [/^\[(.*)\]/.exec(name)![1], values]));
  expect(shown.length).toBeGreaterThan(5);
  for (const [network, accuracy, macs, params] of shown) {
    const [, expected, , expectedMacs, expectedParams] = byName.get(NETWORKS[network])!;
    const number = (text: string) => Number(text.replaceAll(',', ''));
    expect([network, accuracy, macs, params]).toEqual([network, expected, short(number(expectedMacs)), short(number(expectedParams))]);
  }
});

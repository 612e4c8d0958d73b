/** The README's table of accuracies is that of the training runs. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
/** By README's name: the experiment, and that of 30 epochs. */
const NETWORKS: Readonly<Record<string, readonly [name: string, long?: string]>> = {
  'small ResNet, plain': ['plain', 'plain-long'],
  'with CompConv16': ['compconv16', 'compconv16-long'],
  'with CompConv16, taught by the plain one': ['compconv16-distilled', 'compconv16-distilled-long'],
  'plain, narrowed to as many MACs': ['narrow', 'narrow-long'],
  'narrowed, taught by the plain one': ['narrow-distilled'],
  'with Ghost modules': ['ghost', 'ghost-long'],
  'with Ghost modules, taught by the plain one': ['ghost-distilled'],
  'with depths by layer, chosen by `compconv search`': ['searched'],
  'ResNet18, plain': ['resnet18'],
  'CompConv128-ResNet18': ['resnet18-compconv128'],
  'ResNet50, plain': ['resnet50'],
  'CompConv128-ResNet50': ['resnet50-compconv128'],
};

const cells = (row: string) => row.split('|').slice(1, -1).map((cell) => cell.trim());
const rowsBelow = (text: string, heading: string) => {
  const lines = text.slice(text.indexOf(heading)).split('\n').slice(2);
  return lines.slice(0, lines.indexOf('')).map(cells);
};
const short = (count: number) => (count < 1e6 ? `${Math.round(count / 1e3)} k` : `${(count / 1e6).toFixed(1)} M`);

test("the README's accuracies are the results'", () => {
  const shown = rowsBelow(readFileSync(new URL('README.md', ROOT), 'utf8'), '| network | 10 epochs |');
  const results = rowsBelow(readFileSync(new URL('train/results/fashion-mnist/table.md', ROOT), 'utf8'), '| network | epochs | test accuracy |');
  const byName = new Map(results.map(([name, ...values]) => [/^\[(.*)\]/.exec(name)![1], values]));
  expect(shown.map(([network]) => network)).toEqual(Object.keys(NETWORKS));
  for (const [network, ...values] of shown) {
    const [name, long] = NETWORKS[network];
    const [epochs, accuracy, , macs, params] = byName.get(name)!;
    const [longEpochs, longAccuracy] = (long !== undefined && byName.get(long)) || ['30', ''];
    const number = (text: string) => Number(text.replaceAll(',', ''));
    expect([longEpochs, ...values]).toEqual(['30', epochs === '10' ? accuracy : `${accuracy} (${epochs})`, longAccuracy, short(number(macs)), short(number(params))]);
  }
});

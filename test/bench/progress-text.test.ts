import { expect, test } from 'vitest';
import { phases, type BenchProgress } from '../../bench/options.ts';
import { ProgressWords, stepsOf } from '../../bench/progress-text.ts';

test('steps are those asked for, and cover every phase once', () => {
  expect(stepsOf({ sections: ['times'], peers: [] }).map(({ title }) => title)).toEqual(['Load', 'Check', 'Warm up', 'Measure']);
  expect(stepsOf({ sections: ['adapter'], peers: [] }).map(({ title }) => title)).toEqual(['Adapter limits']);
  const all = stepsOf({ sections: ['times', 'adapter', 'layers', 'scaling'], peers: ['tfjs'] });
  expect(all.flatMap(({ phases }) => phases)).toEqual([...phases]);
});

test('every phase has words', () => {
  for (const phase of phases) {
    const { title, detail } = new ProgressWords().describe({ phase, label: 'ResNet50', done: 1, total: 3 });
    expect(title).toMatch(/^[A-Z]/);
    expect(title + detail).not.toMatch(/undefined|NaN/);
  }
});

test('what is read out does not change with every number, nor with whose turn it is', () => {
  const words = new ProgressWords();
  const titles = (phase: BenchProgress['phase'], labels: string[]) =>
    new Set(labels.flatMap((label) => [0, 1, 2].map((done) => words.describe({ phase, label, done, total: 3 }).title)));
  expect(titles('measure', ['A', 'B', 'A', 'B']).size).toBe(1);
  expect(titles('warm-up', ['A', 'B']).size).toBe(1);
  expect(titles('upload', ['A']).size).toBe(1);
});

test('weights and kernels of a network are told together, and forgotten with the next one', () => {
  const words = new ProgressWords();
  words.describe({ phase: 'upload', label: 'A', done: 5e6, total: 1e7 });
  expect(words.describe({ phase: 'compile', label: 'A', done: 2, total: 6 }).detail).toBe(
    'weights made and uploaded: 5.00\u00a0MB of 10.0\u00a0MB · kernels compiled: 2 of 6',
  );
  expect(words.describe({ phase: 'compile', label: 'B', done: 0, total: 6 }).detail).toBe('kernels compiled: 0 of 6');
});

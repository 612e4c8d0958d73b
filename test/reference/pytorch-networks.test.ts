/** Whole networks with seeded weights against torchvision's: the graphs, the names and the reference at once. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { graphParams, type Graph } from '../../src/graph/graph.ts';
import { createNetwork } from '../../src/models/network.ts';
import type { Inner } from '../../src/ops/comp-conv.ts';
import { runReference, toTensor, type Activation } from '../../src/reference/run.ts';
import { elementCount } from '../../src/tensor/tensor.ts';
import { seededUniform, seededWeights } from '../../src/weights/seeded.ts';
import { expectClose } from '../support/compare.ts';

interface NetworkCase {
  readonly arch: string;
  /** Null: plain. */
  readonly c0: number | null;
  readonly inner?: Inner;
  readonly shuffleGroups?: number;
  readonly seed: number;
  /** `[N, C, H, W]` */
  readonly inputShape: readonly [number, number, number, number];
  readonly stages: Readonly<Record<string, { readonly l2: number; readonly first8: readonly number[] }>>;
  readonly logits: readonly (readonly number[])[];
}

const folder = new URL('../fixtures/networks/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
/** The fixture prints nine digits. */
const PRINTED = { relativeL2: 1e-8 };

describe('reference against torchvision: networks', () => {
  it.each(files)('%s', { timeout: 120_000 }, (file) => {
    const { arch, c0, inner, shuffleGroups, seed, inputShape, stages, logits } = JSON.parse(
      readFileSync(new URL(file, folder), 'utf8'),
    ) as NetworkCase;
    const [batch, , height, width] = inputShape;
    const compression = c0 === null ? {} : { c0, inner, shuffleGroups };
    const graph = createNetwork({ arch, ...compression }, { batch, height, width });
    const input = { shape: inputShape, data: seededUniform(seed, 'input', elementCount(inputShape), -1, 1) };
    const values = runReference(graph, seededWeights(graphParams(graph), seed), input);

    expect(Object.keys(stages).length).toBeGreaterThan(2);
    for (const [stage, { l2, first8 }] of Object.entries(stages)) {
      const value = stageValue(graph, values, stage);
      expectClose([Math.sqrt(value.data.reduce((sum, x) => sum + x * x, 0))], [l2], PRINTED, `l2 of ${stage}`);
      expectClose(toTensor(value).data.slice(0, 8), first8, { relativeL2: 1e-7 }, stage);
    }
    expectClose(values.get(graph.output)!.data, logits.flat(), PRINTED, 'logits');
  });
});

/** The value of a module: of the node so named, or of the last node inside it (`layer1` is `layer1.1.relu2`). */
function stageValue(graph: Graph, values: ReadonlyMap<string, Activation>, stage: string): Activation {
  const inside = graph.nodes.filter(({ name }) => name === stage || name.startsWith(`${stage}.`));
  const value = values.get(inside.at(-1)?.name ?? '');
  if (!value) throw new Error(`${graph.name} has nothing called ${stage}`);
  return value;
}

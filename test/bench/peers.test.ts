/** What onnxruntime-web falls back to, step by step, with a stand-in for the library: in Chromium the first way works. */
import { expect, test } from 'vitest';
import { seededInput } from '../../bench/entrant.ts';
import { createRunner } from '../../bench/peers/ort-web.ts';
import type { Ort } from '../../bench/peers/ort-library.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { graphParams, shapeOf } from '../../src/graph/graph.ts';
import { seededWeights } from '../../src/weights/seeded.ts';

function network() {
  const g = new GraphBuilder();
  g.linear('fc', g.input({ n: 1, h: 1, w: 1, c: 3 }), 2);
  const graph = g.build('tiny');
  return { graph, weights: seededWeights(graphParams(graph), 1), input: seededInput(shapeOf(graph, graph.input), 1) };
}

/** A library whose sessions begin in the ways that `begins` lets pass. */
function library(begins: (options: { readonly enableGraphCapture?: boolean; readonly preferredOutputLocation?: string }) => void) {
  const released: string[] = [];
  class Tensor {
    constructor(
      readonly type: string,
      readonly data: Float32Array,
      readonly dims: readonly number[],
    ) {}
  }
  const session = {
    inputNames: ['input'],
    outputNames: ['output'],
    run: async ({ input }: { input: Tensor }) => ({ output: new Tensor('float32', input.data.slice(0, 2), [1, 2]) }),
    release: async () => void released.push('session'),
  };
  const InferenceSession = { create: async (_model: Uint8Array, options: object) => (begins(options), session) };
  return { released, ort: { Tensor, InferenceSession, env: {} } as unknown as Ort };
}

test('without graph capture and buffers on the GPU the host has to do, and the notes say why', async () => {
  const { ort, released } = library(({ enableGraphCapture, preferredOutputLocation }) => {
    if (enableGraphCapture) throw new Error('not all nodes are on the GPU\n  at Conv_0');
    if (preferredOutputLocation) throw 1234; // As Emscripten does, with an address.
  });
  const tiny = network();
  const runner = await createRunner(ort, 'NCHW', tiny);
  expect(runner.setting).toBe('NCHW, input and output on the host');
  expect(runner.notes).toEqual(['graph capture, input and output on the GPU: not all nodes are on the GPU', 'input and output on the GPU: 1234']);
  expect(runner).not.toHaveProperty('adapter');
  expect(await runner.run()).toEqual({ shape: [1, 2], data: tiny.input.data.slice(0, 2) });
  const other = Float32Array.of(7, 8, 9);
  expect((await runner.run({ shape: [1, 3, 1, 1], data: other })).data).toEqual(other.slice(0, 2));
  await runner.dispose();
  expect(released).toEqual(['session']);
});

test('where no way works the error has all reasons', async () => {
  const { ort } = library(() => {
    throw new Error('out of memory');
  });
  await expect(createRunner(ort, 'NHWC', network())).rejects.toThrow(/^graph capture.*: out of memory; .*GPU: out of memory; .*host: out of memory$/);
});

/** Plug and play: which convolutions `compress` replaces, with what, and what it refuses. */
import { describe, expect, it } from 'vitest';
import { CompConvError } from '../../src/errors.ts';
import { GraphBuilder } from '../../src/graph/builder.ts';
import { graphParams, type Graph } from '../../src/graph/graph.ts';
import { compress, type CompConvOptions } from '../../src/models/compress.ts';
import { createNetwork } from '../../src/models/network.ts';

/** A convolution before BatchNorm, one before ReLU, a grouped one, one that is too small for depth 3. */
function plainGraph(): Graph {
  const g = new GraphBuilder();
  let x = g.input({ n: 1, h: 9, w: 7, c: 64 });
  x = g.relu('relu1', g.batchNorm('bn1', g.conv2d('conv1', x, 64, { kernelSize: 3, padding: 1, bias: true })));
  x = g.relu('relu2', g.conv2d('conv2', x, 64, { kernelSize: 3, padding: 1, bias: true }));
  x = g.relu('relu3', g.conv2d('grouped', x, 64, { kernelSize: 3, padding: 1, groups: 4 }));
  x = g.relu('relu4', g.conv2d('valid', x, 64, { kernelSize: 3, stride: 2 }));
  g.conv2d('head', x, 6, { kernelSize: 1 });
  return g.build('Plain');
}

const attrsOf = (graph: Graph, name: string) => graph.nodes.find((node) => node.name === name)!.attrs;
/** Depth of every convolution by name; 0 where it is plain. */
function depthsOf(graph: Graph): Record<string, number> {
  const depths: Record<string, number> = {};
  for (const { name, attrs } of graph.nodes) {
    if (attrs.op === 'comp-conv') depths[name] = attrs.depth;
    if (attrs.op === 'conv2d') depths[name] = 0;
  }
  return depths;
}

describe('compress', () => {
  it('gives every convolution its adaptive depth, and leaves the grouped one', () => {
    const graph = compress(plainGraph(), { c0: 16 });
    // `valid` has no padding, so its slices would not line up; `head` has parts 1 1 2 2 t 4 at depth 3, more than 6.
    expect(depthsOf(graph)).toEqual({ conv1: 3, conv2: 3, grouped: 0, valid: 1, head: 2 });
    expect(attrsOf(graph, 'grouped')).toEqual(attrsOf(plainGraph(), 'grouped'));
    expect(attrsOf(graph, 'valid')).toEqual({
      op: 'comp-conv', outChannels: 64, kernelSize: 3, stride: 2, padding: 0, depth: 1, shuffleGroups: 2,
      inner: 'linear', bias: true, innerBias: false,
    });
  });

  it('keeps names, order and inputs of all nodes', () => {
    const plain = plainGraph();
    const graph = compress(plain, { c0: 16 });
    const wiring = ({ nodes }: Graph) => nodes.map(({ name, inputs }) => [name, inputs]);
    expect(wiring(graph)).toEqual(wiring(plain));
    expect([...graph.shapes]).toEqual([...plain.shapes]);
    expect(graph.name).toBe('CompConv16-Plain');
  });

  it('leaves the plain graph as it was', () => {
    const plain = plainGraph();
    const before = structuredClone({ name: plain.name, nodes: plain.nodes, shapes: plain.shapes });
    compress(plain, { c0: 16, depths: { conv2: 2 } });
    expect({ name: plain.name, nodes: plain.nodes, shapes: plain.shapes }).toEqual(before);
  });

  it('drops the bias where BatchNorm follows, and has one where none does', () => {
    const params = graphParams(compress(plainGraph(), { c0: 16 }));
    expect(params.has('conv1.bias')).toBe(false);
    expect(params.get('conv2.bias')).toEqual([64]);
    // VGG with and without BatchNorm.
    const normalised = graphParams(createNetwork({ arch: 'vgg11_bn', c0: 128 }));
    for (const conv of ['features.0', 'features.4', 'features.8']) expect(normalised.has(`${conv}.bias`)).toBe(false);
    expect(graphParams(createNetwork({ arch: 'vgg11', c0: 128 })).get('features.3.bias')).toEqual([128]);
  });

  it('a convolution that stays plain keeps its bias', () => {
    const params = graphParams(compress(plainGraph(), { depths: { conv2: 1 } }));
    expect(params.get('conv1.bias')).toEqual([64]);
  });

  it('takes the depth of single layers; the others follow c0, or stay plain', () => {
    const depths = (options: CompConvOptions) => depthsOf(compress(plainGraph(), options));
    expect(depths({ depths: { conv2: 2 } })).toEqual({ conv1: 0, conv2: 2, grouped: 0, valid: 0, head: 0 });
    expect(depths({ c0: 16, depths: { conv2: 0 } })).toEqual({ conv1: 3, conv2: 0, grouped: 0, valid: 1, head: 2 });
    expect(depths({ c0: 1e9 })).toEqual({ conv1: 1, conv2: 1, grouped: 0, valid: 1, head: 1 });
  });

  it('by c0 leaves plain what the shuffle groups do not divide', () => {
    const depths = (options: CompConvOptions) => depthsOf(compress(plainGraph(), options));
    expect(depths({ c0: 16, shuffleGroups: 4 })).toEqual({ conv1: 3, conv2: 3, grouped: 0, valid: 1, head: 0 });
    expect(depths({ c0: 16, shuffleGroups: 3 })).toEqual({ conv1: 0, conv2: 0, grouped: 0, valid: 0, head: 2 });
    // That a layer is to stay plain can be said, too.
    expect(depths({ depths: { head: 0, conv1: 1 }, shuffleGroups: 4 })).toMatchObject({ conv1: 1, head: 0 });
  });

  it('hands shuffle groups, inner and inner biases to every module', () => {
    const graph = compress(createNetwork({ arch: 'resnet18' }), {
      c0: 128, shuffleGroups: 4, inner: 'bn-relu', innerBias: true,
    });
    const modules = graph.nodes.flatMap(({ attrs }) => (attrs.op === 'comp-conv' ? [attrs] : []));
    // Every convolution of ResNet18: 1 + 16 + 3 shortcuts.
    expect(modules.length).toBe(20);
    for (const attrs of modules) {
      expect(attrs).toMatchObject({ shuffleGroups: 4, inner: 'bn-relu', bias: false, innerBias: true });
    }
  });

  it.each<[CompConvOptions, string, RegExp]>([
    [{ c0: 0 }, 'invalid-argument', /^c0 must be a positive number .*, got 0$/],
    [{ c0: -64 }, 'invalid-argument', /got -64$/],
    [{ c0: NaN }, 'invalid-argument', /got NaN$/],
    [{ c0: Infinity }, 'invalid-argument', /got Infinity$/],
    [{ c0: '128' as unknown as number }, 'invalid-argument', /got 128$/],
    [
      { depths: { conv9: 1 } },
      'invalid-argument',
      /^depths: Plain has no plain convolution "conv9"; its convolutions are conv1, conv2, valid, head$/,
    ],
    [{ depths: { grouped: 1 } }, 'invalid-argument', /no plain convolution "grouped"/],
    [{ depths: JSON.parse('{"toString":1}') }, 'invalid-argument', /no plain convolution "toString"/],
    [{ depths: null as unknown as CompConvOptions['depths'] }, 'invalid-argument', /^depths must map layer names to depths 0..3, got null$/],
    [{ depths: { ['x'.repeat(1000)]: 1 } }, 'invalid-argument', /no plain convolution "x{100}"\.\.\.; its/],
    [{ depths: { conv1: JSON.parse('{"toString":1}') } }, 'invalid-graph', /got an object$/],
    [{ depths: { relu1: 1 } }, 'invalid-argument', /no plain convolution "relu1"/],
    [{ depths: { conv1: 4 } }, 'invalid-graph', /^conv1: depth must be an integer from 0 to 3, got 4$/],
    [{ depths: { conv1: 1.5 } }, 'invalid-graph', /^conv1: depth must be an integer from 0 to 3, got 1.5$/],
    [
      { depths: { head: 3 } },
      'invalid-graph',
      /^head: depth 3 leaves .* 6 output channels for its tail, .*; the deepest feasible depth is 2$/,
    ],
    [
      { depths: { valid: 2 } },
      'invalid-graph',
      /^valid: depth 2 needs padding 1 .*, got 0; the deepest feasible depth is 1$/,
    ],
    [
      { c0: 16, depths: { head: 1 }, shuffleGroups: 4 },
      'invalid-graph',
      /^head: shuffle groups must divide the 6 output channels, got 4; depth 0 leaves it plain$/,
    ],
    [{ c0: 16, shuffleGroups: 5 }, 'invalid-argument', /^shuffleGroups: 5 divides no layer's output channels; give 2, or 1 for no shuffle$/],
    [{ c0: 16, shuffleGroups: 0 }, 'invalid-argument', /^shuffleGroups must be a positive integer, got 0$/],
    [{ c0: 16, shuffleGroups: 1.5 }, 'invalid-argument', /^shuffleGroups must be a positive integer, got 1.5$/],
    [{ c0: 16, inner: 'gelu' as 'linear' }, 'invalid-graph', /^conv1: inner must be 'linear' or .*, got "gelu"$/],
  ])('refuses %j', (options, code, message) => {
    let error: unknown;
    try {
      compress(plainGraph(), options);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(CompConvError);
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('refuses a depth that is nested too deeply to be printed', () => {
    const depths = { conv1: JSON.parse('['.repeat(20_000) + ']'.repeat(20_000)) };
    expect(() => compress(plainGraph(), { depths })).toThrow(expect.objectContaining({ code: 'invalid-graph', message: expect.stringMatching(/got \[an array\]$/) }));
  });
});

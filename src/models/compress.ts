/**
 * Plug and play: turns the plain convolutions of any graph into CompConv (spec, sections 1 and 2). A pure function of
 * the graph; weights are named by the result.
 */
import { CompConvError, show } from '../errors.ts';
import { mapNodes, inputShapes, type Graph } from '../graph/graph.ts';
import { adaptiveDepth, checkDepth, type Depth } from '../ops/comp-conv-channels.ts';
import type { Inner } from '../ops/comp-conv.ts';
import type { Conv2dAttrs } from '../ops/conv2d.ts';
import type { Node } from '../ops/node.ts';

/** How convolutions become CompConv. `c0` or `depths` must be given. */
export interface CompConvOptions {
  /** `C_0` of the adaptive depth: a positive number; larger is lighter compression. */
  readonly c0?: number;
  /** Depth of single layers by name; the other layers follow `c0`, or stay plain without one. */
  readonly depths?: Readonly<Record<string, number>>;
  /** Groups of the channel shuffle; 1 is no shuffle. Default 2. */
  readonly shuffleGroups?: number;
  /** What follows the convolutions inside a module. Default `linear`. */
  readonly inner?: Inner;
  /** Whether the convolutions inside have a bias each. Default false. */
  readonly innerBias?: boolean;
}

/**
 * Replaces convolutions by CompConv modules of the same name. Left as they are: grouped convolutions, and by `c0` those
 * whose output channels the shuffle groups do not divide; groups that divide none are an error. A convolution followed by
 * BatchNorm loses its bias; otherwise the module keeps one.
 * @throws invalid-argument for bad options or a depth for a layer that is not there; invalid-graph for an infeasible depth.
 */
export function compress(graph: Graph, options: CompConvOptions): Graph {
  const { c0, depths = {}, shuffleGroups = 2, inner = 'linear', innerBias = false } = options;
  if (c0 === undefined && options.depths === undefined) {
    throw new CompConvError('invalid-argument', 'compress: give `c0` (32, 64, 128, ...) or `depths` (layer name to depth 0..3)');
  }
  checkDepthMap(depths);
  if (c0 !== undefined && !(Number.isFinite(c0) && c0 > 0)) {
    throw new CompConvError('invalid-argument', `c0 must be a positive number (32, 64, 128, ...), got ${c0}`);
  }
  if (!Number.isInteger(shuffleGroups) || shuffleGroups < 1) {
    throw new CompConvError('invalid-argument', `shuffleGroups must be a positive integer, got ${show(shuffleGroups)}`);
  }
  const plain = graph.nodes.filter(isPlainConv);
  const names = plain.map((node) => node.name);
  for (const name of Object.keys(depths)) {
    if (!names.includes(name)) {
      throw new CompConvError(
        'invalid-argument',
        `depths: ${graph.name} has no plain convolution ${show(name)}; its convolutions are ${listed(names)}`,
      );
    }
  }
  const canShuffle = ({ attrs }: Node<Conv2dAttrs>) => attrs.outChannels % shuffleGroups === 0;
  if (c0 !== undefined && plain.length && !plain.some(canShuffle)) {
    throw new CompConvError('invalid-argument', `shuffleGroups: ${shuffleGroups} divides no layer's output channels; give 2, or 1 for no shuffle`);
  }
  const normalised = new Set(graph.nodes.filter((node) => node.attrs.op === 'batch-norm').map((node) => node.inputs[0]));
  return mapNodes(
    graph,
    (node) => {
      if (!isPlainConv(node)) return [node];
      const conv = { ...node.attrs, inChannels: inputShapes(graph, node)[0].c };
      const { outChannels, kernelSize, stride, padding } = node.attrs;
      let depth: Depth = 0;
      if (Object.hasOwn(depths, node.name)) {
        const explicit: unknown = depths[node.name];
        checkDepth(conv, explicit, node.name);
        depth = explicit;
      } else if (c0 !== undefined && canShuffle(node)) {
        depth = adaptiveDepth(conv, c0);
      }
      if (depth === 0) return [node];
      // The spec: BatchNorm has a shift of its own, so that a bias before it would be redundant.
      const bias = !normalised.has(node.name);
      const module = { outChannels, kernelSize, stride, padding, depth, shuffleGroups, inner, bias, innerBias };
      return [{ ...node, attrs: { op: 'comp-conv', ...module } }];
    },
    c0 === undefined ? `CompConv-${graph.name}` : `CompConv${c0}-${graph.name}`,
  );
}

/** What the depths may be is each layer's to say. @throws invalid-argument */
export function checkDepthMap(depths: unknown): void {
  if (typeof depths === 'object' && depths !== null && !Array.isArray(depths)) return;
  throw new CompConvError('invalid-argument', `depths must map layer names to depths 0..3, got ${show(depths)}`);
}

/** A message has no room for a hundred. */
function listed(names: readonly string[]): string {
  const MOST = 20;
  return names.slice(0, MOST).join(', ') + (names.length > MOST ? `, and ${names.length - MOST} more` : '');
}

function isPlainConv(node: Node): node is Node<Conv2dAttrs> {
  return node.attrs.op === 'conv2d' && node.attrs.groups === 1;
}

/** Pass: every CompConv becomes the ops it is made of. Graph to graph. */
import { mapNodes, type Graph } from '../graph/graph.ts';
import { expandCompConv } from '../modules/comp-conv.ts';
import type { CompConvAttrs } from '../ops/comp-conv.ts';
import type { Node } from '../ops/node.ts';

export function expandModules(graph: Graph): Graph {
  return mapNodes(graph, (node) => (node.attrs.op === 'comp-conv' ? expandCompConv(node as Node<CompConvAttrs>) : [node]));
}

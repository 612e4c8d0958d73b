/** Pass: nodes that neither the output nor a tap depends on, such as a head that only training reads, are not carried out. Graph to graph. */
import { defineGraph, type Graph } from '../graph/graph.ts';

/** @param kept names of nodes whose values are wanted by themselves */
export function dropUnreadNodes(graph: Graph, kept: readonly string[]): Graph {
  const read = new Set([graph.input, graph.output, ...kept]);
  // Readers come after what they read.
  for (const { name, inputs } of graph.nodes.toReversed()) if (read.has(name)) for (const input of inputs) read.add(input);
  return read.size === graph.nodes.length ? graph : defineGraph(graph.name, graph.nodes.filter(({ name }) => read.has(name)));
}

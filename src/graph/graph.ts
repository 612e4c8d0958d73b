/**
 * An immutable network: nodes in an order in which every input comes before its use, one input, one output, and the
 * inferred shape of every value. A transformation gives a new graph.
 */
import { CompConvError } from '../errors.ts';
import type { ImageShape } from '../tensor/image-shape.ts';
import { inferShape, paramsOf } from '../ops/ops.ts';
import type { Node } from '../ops/node.ts';

/** A network as data, immutable: nodes in an order in which every input comes before its use. */
export interface Graph {
  /** What to call the network in messages, e.g. `CompConv128-ResNet50`. */
  readonly name: string;
  readonly nodes: readonly Node[];
  /** Names of the input and the output node. */
  readonly input: string;
  readonly output: string;
  /** Shape of every node's output, `[N, H, W, C]`. */
  readonly shapes: ReadonlyMap<string, ImageShape>;
}

/** Checks names and order, infers all shapes; the last node is the output. @throws invalid-graph */
export function defineGraph(name: string, nodes: readonly Node[]): Graph {
  const shapes = new Map<string, ImageShape>();
  for (const node of nodes) {
    if (shapes.has(node.name)) throw new CompConvError('invalid-graph', `${name}: two nodes are called "${node.name}"`);
    shapes.set(node.name, inferShape(node, shapesOf(node, shapes)));
  }
  const inputs = nodes.filter((node) => node.attrs.op === 'input');
  if (inputs.length !== 1) throw new CompConvError('invalid-graph', `${name}: needs exactly one input, got ${inputs.length}`);
  return Object.freeze({ name, nodes: Object.freeze([...nodes]), input: inputs[0].name, output: nodes[nodes.length - 1].name, shapes });
}

function shapesOf(node: Node, shapes: ReadonlyMap<string, ImageShape>): ImageShape[] {
  return node.inputs.map((input) => {
    const shape = shapes.get(input);
    if (!shape) throw new CompConvError('invalid-graph', `${node.name}: its input "${input}" is not defined before it`);
    return shape;
  });
}

/** Shape of one value. @throws invalid-graph if there is none of that name. */
export function shapeOf(graph: Graph, value: string): ImageShape {
  const shape = graph.shapes.get(value);
  if (!shape) throw new CompConvError('invalid-graph', `${graph.name} has no value "${value}"`);
  return shape;
}

/** Shapes of a node's inputs. */
export function inputShapes(graph: Graph, node: Node): ImageShape[] {
  return shapesOf(node, graph.shapes);
}

/** The same network for another batch or image size; all shapes are inferred anew. @throws invalid-graph */
export function withInputShape(graph: Graph, shape: ImageShape): Graph {
  const nodes = graph.nodes.map((node) => (node.attrs.op === 'input' ? { ...node, attrs: { op: 'input', shape } as const } : node));
  return defineGraph(graph.name, nodes);
}

/** The same network with every node replaced by the nodes that `replace` gives for it. @throws invalid-graph */
export function mapNodes(graph: Graph, replace: (node: Node) => readonly Node[], name: string = graph.name): Graph {
  return defineGraph(name, graph.nodes.flatMap(replace));
}

/** Names and shapes of all parameters, in the order of the nodes. */
export function graphParams(graph: Graph): Map<string, readonly number[]> {
  return new Map(graph.nodes.flatMap((node) => paramsOf(node, inputShapes(graph, node))));
}

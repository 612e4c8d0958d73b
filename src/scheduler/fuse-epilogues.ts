/**
 * Pass: BatchNorm, bias, residual add and ReLU move into the kernel that produces their input, if nothing else reads
 * that. Graph to program.
 *
 * A kernel finishes with `relu?(op(x) * scale + shift + residual)`: an op is absorbed only where that order allows it.
 * What cannot be absorbed becomes a pointwise op of its own.
 */
import { inputShapes, shapeOf, type Graph } from '../graph/graph.ts';
import { macsOf } from '../ops/ops.ts';
import type { Node } from '../ops/node.ts';
import { affineTerm } from '../kernels/affine.ts';
import { opsWithEpilogue } from '../kernels/kernels.ts';
import { invariant } from '../errors.ts';
import type { Op, Program } from './program.ts';

/** @param kept names of nodes whose values are wanted by themselves */
export function fuseEpilogues(graph: Graph, kept: readonly string[] = []): Program {
  const readers = new Map<string, number>();
  for (const value of [...graph.nodes.flatMap(({ inputs }) => inputs), ...kept]) readers.set(value, (readers.get(value) ?? 0) + 1);
  const ops = new Map<string, Op>();

  /** The op that computes `value`, if it may finish with one step more. */
  const absorber = (value: string, step: 'affine' | 'residual' | 'relu'): Op | undefined => {
    const op = ops.get(value);
    if (!op || readers.get(value) !== 1 || !opsWithEpilogue.has(op.attrs.op) || op.relu) return undefined;
    if (step === 'affine' && op.residual !== undefined) return undefined;
    if (step === 'residual' && op.residual !== undefined) return undefined;
    return op;
  };
  /** Adds a step to the op behind `value`, or to a new pointwise op; either then computes `node`'s value, in its place. */
  const absorb = (node: Node, value: string, op: Op | undefined, step: Partial<Op>) => {
    if (op) ops.delete(value);
    ops.set(node.name, { ...(op ?? pointwise(graph, node, value)), name: node.name, ...step });
  };

  for (const node of graph.nodes) {
    const { attrs, inputs } = node;
    switch (attrs.op) {
      case 'input':
        break;
      case 'batch-norm':
      case 'channel-bias': {
        const op = absorber(inputs[0], 'affine');
        absorb(node, inputs[0], op, { affine: [...(op?.affine ?? []), affineTerm({ ...node, attrs })] });
        break;
      }
      case 'add': {
        // The operand computed last can take the other one along without waiting for it.
        const order = [...ops.keys()];
        const [later, earlier] = order.indexOf(inputs[0]) >= order.indexOf(inputs[1]) ? inputs : [inputs[1], inputs[0]];
        const op = absorber(later, 'residual');
        absorb(node, later, op, { residual: earlier });
        break;
      }
      case 'relu':
        absorb(node, inputs[0], absorber(inputs[0], 'relu'), { relu: true });
        break;
      case 'comp-conv':
        invariant(false, `${node.name} was not expanded`);
        break;
      default: {
        const biased = 'bias' in attrs && attrs.bias;
        ops.set(node.name, {
          name: node.name,
          attrs,
          inputs,
          inputShapes: inputShapes(graph, node),
          output: shapeOf(graph, node.name),
          affine: biased ? [{ kind: 'bias', param: `${node.name}.bias` }] : [],
          relu: false,
          source: node.name,
          macs: macsOf(node, inputShapes(graph, node), shapeOf(graph, node.name)),
        });
      }
    }
  }
  return {
    ops: [...ops.values()],
    input: graph.input,
    inputShape: shapeOf(graph, graph.input),
    output: graph.output,
    kept,
    joined: new Map(),
    layouts: new Map(),
  };
}

function pointwise(graph: Graph, node: Node, value: string): Op {
  const shape = shapeOf(graph, value);
  return {
    name: node.name,
    attrs: { op: 'pointwise' },
    inputs: [value],
    inputShapes: [shape],
    output: shape,
    affine: [],
    relu: false,
    source: node.name,
    macs: 0,
  };
}

/**
 * Expands one CompConv into the ops it is made of (spec, section 1): primitive, then per level an identity slice, its
 * concatenation with what is there, a grow; the depthwise tail; concatenation and shuffle of all parts.
 *
 * The pair `X_A[i] ⊕ X_B[i]` that feeds a grow is also a piece of the output, so it is built once and used twice.
 */
import { compConvChannels } from '../ops/comp-conv-channels.ts';
import { BATCH_NORM_EPSILON } from '../ops/batch-norm.ts';
import type { CompConvAttrs } from '../ops/comp-conv.ts';
import type { Node, OpAttrs } from '../ops/node.ts';

/** The nodes of the module in order; the last one carries the module's own name. */
export function expandCompConv({ name, attrs, inputs: [x] }: Node<CompConvAttrs>): Node[] {
  const { outChannels, kernelSize, stride, padding, depth, shuffleGroups, inner, bias, innerBias } = attrs;
  const { primitive, widths, tail, identity } = compConvChannels(outChannels, depth);
  const nodes: Node[] = [];
  const push = (part: string, partAttrs: OpAttrs, ...inputs: string[]): string => {
    nodes.push({ name: `${name}.${part}`, attrs: partAttrs, inputs });
    return `${name}.${part}`;
  };
  /** BatchNorm and ReLU after a part, where the module has them inside. */
  const finish = (value: string, part: string, suffix = ''): string => {
    if (inner === 'linear') return value;
    const normed = push(`${part}_bn${suffix}`, { op: 'batch-norm', epsilon: BATCH_NORM_EPSILON }, value);
    return push(`${part}_relu${suffix}`, { op: 'relu' }, normed);
  };
  const same = { kernelSize, stride: 1, padding: (kernelSize - 1) / 2 };
  const conv = { op: 'conv2d', groups: 1, bias: innerBias } as const;

  let grown = finish(push('primitive', { ...conv, outChannels: primitive, kernelSize, stride, padding }, x), 'primitive');
  const parts: string[] = [];
  for (let i = depth - 2, step = 0; i >= 0; i--, step++) {
    const [begin, end] = identity[i + 1];
    const slice = push(`identity.${step}`, { op: 'channel-slice', begin, channels: end - begin, stride }, x);
    const pair = push(`pair.${step}`, { op: 'channel-concat' }, slice, grown);
    parts.push(pair);
    grown = finish(push(`grow.${step}`, { ...conv, ...same, outChannels: widths[i] }, pair), 'grow', `.${step}`);
  }
  parts.push(finish(push('tail', { op: 'depthwise-conv2d', ...same, channels: tail, bias: innerBias }, grown), 'tail'), grown);

  let output = push('concat', { op: 'channel-concat' }, ...parts);
  if (shuffleGroups > 1) output = push('shuffle', { op: 'channel-shuffle', groups: shuffleGroups }, output);
  if (bias) push('bias', { op: 'channel-bias' }, output);
  nodes[nodes.length - 1] = { ...nodes[nodes.length - 1], name };
  return nodes;
}

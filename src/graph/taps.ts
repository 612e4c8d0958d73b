/**
 * What a tap is called: the name of a node, or of a module of several nodes, whose result is that of its last one. So `layer3` of a
 * ResNet and `features` of a VGG mean what they mean in PyTorch.
 */
import { CompConvError } from '../errors.ts';
import type { Graph } from './graph.ts';

/** Names that an error suggests. */
const SUGGESTIONS = 5;

/**
 * The node whose value a tap is: the one of that name, else the last one whose name begins with it and a dot. What is inside a
 * CompConv cannot be tapped, since most of it never exists: a module is one node.
 * @throws invalid-argument with the names that are closest
 */
export function resolveTap({ name: network, nodes }: Graph, tap: string): string {
  const node = nodes.find(({ name }) => name === tap) ?? nodes.findLast(({ name }) => name.startsWith(`${tap}.`));
  if (node) return node.name;
  const module = nodes.find(({ name, attrs }) => attrs.op === 'comp-conv' && String(tap).startsWith(`${name}.`));
  const advice = module
    ? `it would be inside the CompConv ${module.name}, whose parts cannot be tapped; take ${module.name}`
    : `close are ${closest(nodes.map(({ name }) => name), String(tap)).join(', ')}; \`graph.nodes\` lists all`;
  throw new CompConvError('invalid-argument', `${network} has no value ${JSON.stringify(tap)}: ${advice}`);
}

/** Of the names, and of the modules that they are in, those that begin most like `wanted`. */
function closest(names: readonly string[], wanted: string): string[] {
  const modules = names.flatMap((name) => [...name.matchAll(/\./g)].map(({ index }) => name.slice(0, index)));
  const common = (name: string) => {
    let length = 0;
    while (length < wanted.length && name[length] === wanted[length]) length++;
    return length;
  };
  const distance = (name: string) => Math.abs(name.length - wanted.length);
  return [...new Set([...modules, ...names])].sort((a, b) => common(b) - common(a) || distance(a) - distance(b)).slice(0, SUGGESTIONS);
}

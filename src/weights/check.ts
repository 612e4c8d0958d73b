/**
 * Do these weights belong to this network? Compares names and shapes, all of them, before anything is uploaded; it
 * never looks at values.
 */
import { CompConvError } from '../errors.ts';
import { formatShape, sameShape } from '../tensor/tensor.ts';
import type { Weights } from './weights.ts';

/**
 * Checks that `weights` has exactly the tensors of `expected`, in the same shapes. PyTorch's `num_batches_tracked`
 * counters may be there; nothing uses them.
 * @param where starts the message: the file or network in question
 * @throws invalid-weights with every missing, unexpected and misshapen tensor, one per line.
 */
export function checkWeights(
  expected: ReadonlyMap<string, readonly number[]>,
  weights: Pick<Weights, 'shapes'>,
  where: string,
): void {
  const missing: string[] = [];
  const misshapen: string[] = [];
  for (const [name, shape] of expected) {
    const got = weights.shapes.get(name);
    if (!got) missing.push(`${name} ${formatShape(shape)}`);
    else if (!sameShape(shape, got)) misshapen.push(`${name}: expected ${formatShape(shape)}, got ${formatShape(got)}`);
  }
  const unexpected = [...weights.shapes]
    .filter(([name]) => !expected.has(name) && !name.endsWith('num_batches_tracked'))
    // A file may call them anything.
    .map(([name, shape]) => `${name.length > 100 ? `${name.slice(0, 100)}...` : name} ${formatShape(shape)}`);
  if (missing.length + unexpected.length + misshapen.length === 0) return;

  const section = (title: string, lines: readonly string[]): string =>
    lines.length === 0 ? '' : `\n${title} (${lines.length}):${lines.map((line) => `\n  ${line}`).join('')}`;
  throw new CompConvError(
    'invalid-weights',
    `${where}: the weights do not fit: ${missing.length} missing, ${unexpected.length} unexpected, ` +
      `${misshapen.length} of another shape, of ${expected.size} expected. ` +
      'Does the file belong to this architecture and these CompConv options?' +
      section('missing', missing) +
      section('unexpected', unexpected) +
      section('of another shape', misshapen),
  );
}

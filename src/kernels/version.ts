/** Tells one set of kernels from another: what was measured with other code says nothing about this one. */
import { kernels } from './kernels.ts';
import { moduleCode, type Kernel } from './kernel.ts';

/** 16 hexadecimal digits that change with the names and the code of the kernels, what they have in common included. */
export function kernelVersion(of: readonly Pick<Kernel, 'name' | 'code' | 'directives'>[] = kernels): string {
  const text = of.map((kernel) => `${kernel.name}\n${moduleCode(kernel, 'f32')}`).join('\n');
  return [0x811c9dc5, 0x9e3779b9].map((start) => fnv1a(text, start).toString(16).padStart(8, '0')).join('');
}

/** FNV-1a over UTF-16 code units. */
function fnv1a(text: string, start: number): number {
  let hash = start;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** A kernel's host side and its WGSL file agree: name, bindings, fields of `Sizes`. */
import { describe, expect, test } from 'vitest';
import { kernels } from '../../src/kernels/kernels.ts';

describe.each(kernels.map((kernel) => [kernel.name, kernel] as const))('%s', (name, { code, bindings, sizes }) => {
  test('fields of Sizes, all u32, in order', () => {
    const struct = /struct Sizes \{([\s\S]*?)\n\}/.exec(code)![1].replaceAll(/\/\/.*/g, '');
    const fields = [...struct.matchAll(/^\s*(\w+): u32,/gm)].map((match) => match[1]);
    expect(fields).toEqual(sizes);
    expect(struct.match(/\w+: /g)).toHaveLength(fields.length);
  });

  test('storage bindings in order, only the last one written, then the uniform', () => {
    const declared = [...code.matchAll(/@group\(0\) @binding\((\d+)\) var<([^>]+)> (\w+)/g)].map(([, binding, space, variable]) => ({
      binding: Number(binding),
      space,
      variable,
    }));
    expect(declared.map(({ binding }) => binding)).toEqual(declared.map((_, i) => i));
    expect(declared.map(({ variable }) => variable)).toEqual([...bindings, 'sizes']);
    const spaces = bindings.map((_, i) => (i === bindings.length - 1 ? 'storage, read_write' : 'storage, read'));
    expect(declared.map(({ space }) => space)).toEqual([...spaces, 'uniform']);
    // What every adapter has.
    expect(bindings.length).toBeLessThanOrEqual(8);
  });

  test('the file begins with a header that names the kernel', () => {
    expect(code).toMatch(/^\/\/ [a-z0-9-]+/);
    expect(name.startsWith(/^\/\/ ([a-z0-9-]+)/.exec(code)![1])).toBe(true);
  });
});

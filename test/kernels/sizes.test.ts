/** A kernel's host side and its WGSL agree: name, bindings, fields of its uniforms. */
import { describe, expect, test } from 'vitest';
import { FIRST_UNIFORM_BINDING, SAMPLER_BINDING, uniformStructs } from '../../src/kernels/kernel.ts';
import { kernels } from '../../src/kernels/kernels.ts';
import { packInputKernel } from '../../src/kernels/pack-input.ts';
import { unpackOutputKernel } from '../../src/kernels/unpack-output.ts';

// Those of ops, and those around a plan.
const all = [...kernels, packInputKernel, unpackOutputKernel];

describe.each(all.map((kernel) => [kernel.name, kernel] as const))('%s', (name, kernel) => {
  const { code, bindings, written } = kernel;
  const structNames = ['Sizes', 'Stores'];

  test('fields of its uniforms, all u32, in order', () => {
    uniformStructs(kernel).forEach((expected, i) => {
      const struct = new RegExp(`struct ${structNames[i]} \\{([\\s\\S]*?)\\n\\}`).exec(code)![1].replaceAll(/\/\/.*/g, '');
      const fields = [...struct.matchAll(/^\s*(\w+): u32,/gm)].map((match) => match[1]);
      expect(fields).toEqual(expected);
      expect(struct.match(/\w+: /g)).toHaveLength(fields.length);
    });
    // One table of values serves both.
    const fields = uniformStructs(kernel).flat();
    expect(new Set(fields).size).toBe(fields.length);
  });

  test('storage bindings in order, the last ones written, and the uniforms', () => {
    const declared = [...code.matchAll(/@group\(0\) @binding\((\d+)\) var<([^>]+)> (\w+)/g)].map(([, binding, space, variable]) => ({
      binding: Number(binding),
      space,
      variable,
    }));
    const storage = bindings.map((variable, binding) => ({
      binding,
      space: binding < bindings.length - written ? 'storage, read' : 'storage, read_write',
      variable,
    }));
    const uniforms = uniformStructs(kernel).map((_, i) => ({
      binding: FIRST_UNIFORM_BINDING + i,
      space: 'uniform',
      variable: structNames[i].toLowerCase(),
    }));
    // A kernel need not declare what it does not use, and textures are no buffers.
    const used = storage.filter(({ variable }) => variable !== 'unused' && !kernel.textures?.includes(variable));
    for (const texture of kernel.textures ?? []) {
      expect(code).toContain(`@group(0) @binding(${bindings.indexOf(texture)}) var ${texture}: texture_2d<f32>;`);
      expect(code).toContain(`@group(0) @binding(${SAMPLER_BINDING}) var nearest: sampler;`);
    }
    expect([...declared].sort((a, b) => a.binding - b.binding)).toEqual([...used, ...uniforms]);
    // What every adapter has.
    expect(bindings.length).toBeLessThanOrEqual(8);
  });

  test('the file begins with a header that names the kernel', () => {
    expect(name.startsWith(/^(?:enable subgroups;\ndiagnostic[^\n]*\n\n)?\/\/ ([a-z0-9-]+)/.exec(code)![1])).toBe(true);
  });
});

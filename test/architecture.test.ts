/**
 * The rooms of `src/` and who may use whom: reads all imports and fails on an arrow the wrong way, on a cycle between
 * files, on `GPUDevice` outside the rooms that own it, and on file names that say nothing.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/**
 * Rooms that a room may import from, besides itself and `errors.ts`. `index.ts` may import from all; the page is a user of
 * the engine like any other and imports nothing but `index.ts`.
 */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  tensor: [],
  ops: ['tensor'],
  modules: ['tensor', 'ops'],
  graph: ['tensor', 'ops', 'modules'],
  models: ['tensor', 'ops', 'modules', 'graph', 'weights', 'bytes'],
  bytes: [],
  weights: ['tensor', 'bytes'],
  reference: ['tensor', 'ops', 'graph', 'weights'],
  kernels: ['tensor', 'ops', 'graph', 'weights'],
  scheduler: ['tensor', 'ops', 'modules', 'graph', 'weights', 'kernels'],
  vision: ['tensor', 'ops', 'modules', 'graph', 'models', 'weights', 'kernels', 'scheduler'],
  runtime: ['tensor', 'ops', 'modules', 'graph', 'models', 'weights', 'reference', 'kernels', 'scheduler', 'vision'],
  onnx: ['tensor', 'ops', 'graph', 'weights', 'kernels', 'scheduler'],
  fallback: ['tensor', 'graph', 'models', 'onnx', 'vision', 'runtime'],
  load: ['bytes', 'models', 'weights', 'runtime', 'fallback'],
  worker: ['tensor', 'bytes', 'graph', 'models', 'vision', 'runtime', 'load'],
  node: ['vision'],
  page: ['index.ts'],
};
const MAY_NAME_GPU_DEVICE = ['runtime', 'vision'];

/** Files by their path inside `src/`. */
type Sources = ReadonlyMap<string, string>;

/** What a file imports in any way, types and `?raw` shaders included; comments do not count. */
function importsOf(source: string): string[] {
  const code = withoutComments(source);
  const forms = [
    // The names may not run on into the next statement.
    /\b(?:import|export)\b(?:(?!\b(?:import|export)\b)[\w\s{},*$])*?\bfrom\s*(['"])(.+?)\1/g,
    /\bimport\s*(['"])(.+?)\1/g,
    /\bimport\s*\(\s*(['"`])(.+?)\1/g,
    /\bnew\s+URL\s*\(\s*(['"`])(.+?)\1\s*,\s*import\.meta\.url/g,
  ];
  return forms.flatMap((form) =>
    [...code.matchAll(form)].map(([, , specifier]) => specifier),
  );
}

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');
}

/** `ops/conv2d.ts` is in the room `ops`; a file in `src/` itself is its own. */
const roomOf = (path: string) => (path.includes('/') ? path.slice(0, path.indexOf('/')) : path);

/** Relative imports of a file as paths inside `src/`; what leads outside `src/` begins with `../`. */
function localImports(path: string, imports: readonly string[]): string[] {
  return imports
    .filter((specifier) => specifier.startsWith('.'))
    .map((specifier) => normalize(join(dirname(path), specifier.replace(/\?.*$/, ''))));
}

/** Every rule that is broken, one line each. */
function problemsIn(sources: Sources): string[] {
  const problems: string[] = [];
  for (const [path, source] of sources) {
    const room = roomOf(path);
    if (room !== path && !ALLOWED[room]) problems.push(`${path}: there is no room "${room}"`);
    if (/\b(utils?|commons?|helpers?|misc)\b/i.test(path)) problems.push(`${path}: name the concept`);
    if (/\bGPUDevice\b/.test(withoutComments(source)) && !MAY_NAME_GPU_DEVICE.includes(room)) {
      problems.push(`${path}: only ${MAY_NAME_GPU_DEVICE.join(' and ')} may name GPUDevice`);
    }
    if (path === 'index.ts') continue;
    for (const target of localImports(path, importsOf(source))) {
      const to = roomOf(target);
      const problem = (what: string) => problems.push(`${path} -> ${target}: ${what}`);
      if (target.startsWith('../')) {
        // Shaders are read as text.
        if (!/^\.\.\/shaders\/[\w-]+\.wgsl$/.test(target)) problem('leads out of src/');
        continue;
      }
      if (to !== room && to !== 'errors.ts' && !ALLOWED[room]?.includes(to)) problem(`${room} must not import ${to}`);
    }
  }
  return [...problems, ...cycles(sources)];
}

/** Imports that lead back to where they started, of types too, each cycle once. */
function cycles(sources: Sources): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]) => {
    if (trail.includes(path)) {
      found.push(`cycle: ${[...trail.slice(trail.indexOf(path)), path].join(' -> ')}`);
    } else if (!done.has(path)) {
      for (const target of localImports(path, importsOf(sources.get(path) ?? ''))) visit(target, [...trail, path]);
      done.add(path);
    }
  };
  for (const path of sources.keys()) visit(path, []);
  return found;
}

function readSources(): Sources {
  const root = fileURLToPath(new URL('../src/', import.meta.url));
  const paths = readdirSync(root, { recursive: true, encoding: 'utf8' }).map((path) => path.replaceAll('\\', '/'));
  const files = paths.filter((path) => /\.[cm]?tsx?$/.test(path));
  return new Map(files.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

describe('architecture', () => {
  const sources = readSources();

  it('reads the sources and their imports', () => {
    expect(sources.size).toBeGreaterThan(30);
    const imports = (path: string) => localImports(path, importsOf(sources.get(path)!));
    expect(imports('ops/ops.ts')).toContain('ops/comp-conv.ts');
    expect(imports('models/compress.ts')).toContain('graph/graph.ts');
  });

  it('has no broken rule', () => {
    expect(problemsIn(sources)).toEqual([]);
  });

  it('keeps what only some inputs or a fallback need out of the engine', () => {
    const reached = new Set<string>(['index.ts']);
    // Sets go on with what is added on the way. What is imported dynamically is another file, types are none.
    for (const path of reached) {
      const code = (sources.get(path) ?? '').replace(/\bimport\s*\(/g, '').replace(/^(import|export) type\b.*$/gm, '');
      for (const target of localImports(path, importsOf(code))) reached.add(target);
    }
    expect(reached).toContain('runtime/executor.ts');
    const rare = ['vision/cpu-preprocess.ts', 'vision/raw-image.ts', 'vision/preprocess.ts', 'vision/image-texture.ts', 'runtime/gpu-transfer.ts'];
    expect([...reached].filter((path) => rare.includes(path))).toEqual([]);
  });
});

describe('the rules can be broken', () => {
  const problems = (files: Record<string, string>) => problemsIn(new Map(Object.entries(files)));
  const empty = ['errors.ts', 'tensor/a.ts', 'ops/b.ts', 'graph/c.ts', 'kernels/d.ts', 'runtime/e.ts'];
  const none = Object.fromEntries(empty.map((path) => [path, '']));

  it('finds nothing wrong with arrows that point down', () => {
    expect(
      problems({
        ...none,
        'index.ts': `export * from './runtime/e.ts'; export { x } from './tensor/a.ts';`,
        'ops/b.ts': `import '../errors.ts';\nimport { x } from '../tensor/a.ts';`,
        'kernels/d.ts': `import type { X } from '../graph/c.ts';\nimport code from '../../shaders/conv2d.wgsl?raw';`,
        'runtime/e.ts': `import { x } from '../kernels/d.ts';\nconst f = (device: GPUDevice) => device;`,
      }),
    ).toEqual([]);
  });

  it.each([
    ['import', `import { x } from '../ops/b.ts';`],
    ['import over several lines', `import {\n  x,\n  y as z,\n} from "../ops/b.ts";`],
    ['import type', `import type { X } from '../ops/b.ts';`],
    ['import of everything', `import * as ops from '../ops/b.ts';`],
    ['import for its effect', `import '../ops/b.ts';`],
    ['export from', `export { x } from '../ops/b.ts';`],
    ['export everything', `export * from '../ops/b.ts';`],
    ['export type from', `export type { X } from '../ops/b.ts';`],
    ['dynamic import', `const ops = await import('../ops/b.ts');`],
    ['type of an import', `type X = import('../ops/b.ts').X;`],
    ['text of a file', `import text from '../ops/b.ts?raw';`],
    ['URL', `new URL('../ops/b.ts', import.meta.url)`],
    ['import behind another', `import { c } from './c.ts';\nimport { x } from '../ops/b.ts';`],
  ])('an arrow up by %s', (_form, source) => {
    const found = problems({ ...none, 'tensor/c.ts': '', 'tensor/a.ts': source });
    expect(found).toContain('tensor/a.ts -> ops/b.ts: tensor must not import ops');
  });

  it('an import in a comment is none, one after a comment is', () => {
    expect(problems({ ...none, 'tensor/a.ts': `// import '../ops/b.ts'\n/** import('../ops/b.ts') */` })).toEqual([]);
    expect(problems({ ...none, 'tensor/a.ts': `// see 'x'\nimport '../ops/b.ts'; // why` }).length).toBe(1);
  });

  it.each([
    ['weights/w.ts', '../ops/b.ts', 'weights must not import ops'],
    ['reference/r.ts', '../kernels/d.ts', 'reference must not import kernels'],
    ['kernels/k.ts', '../modules/m.ts', 'kernels must not import modules'],
    ['scheduler/s.ts', '../models/n.ts', 'scheduler must not import models'],
    ['vision/v.ts', '../runtime/e.ts', 'vision must not import runtime'],
    ['graph/g.ts', '../models/n.ts', 'graph must not import models'],
    ['runtime/q.ts', '../index.ts', 'runtime must not import index.ts'],
    ['errors.ts', './tensor/a.ts', 'errors.ts must not import tensor'],
    ['ops/q.ts', '../../test/support/compare.ts', 'leads out of src/'],
    ['scheduler/s.ts', '../runtime/e.ts', 'scheduler must not import runtime'],
  ])('%s may not import %s', (from, specifier, message) => {
    const files = { ...none, 'index.ts': '', 'modules/m.ts': '', 'models/n.ts': '', 'reference/f.ts': '' };
    const found = problems({ ...files, [from]: `import { x } from '${specifier}';` });
    expect(found.length).toBe(1);
    expect(found[0]).toContain(message);
  });

  it('a cycle between files, named once', () => {
    const files = {
      'ops/a.ts': `import { B } from './b.ts';`,
      'ops/b.ts': `const c = await import('./c.ts');`,
      'ops/c.ts': `export { x };\nexport * from './a.ts';`,
    };
    expect(problems(files)).toEqual(['cycle: ops/a.ts -> ops/b.ts -> ops/c.ts -> ops/a.ts']);
    expect(problems({ ...files, 'ops/a.ts': `import { d } from './a.ts';` })).toContain('cycle: ops/a.ts -> ops/a.ts');
    // A type closes the circle too, also behind an export of another kind.
    expect(problems({ ...files, 'ops/c.ts': `export { x }\nimport type { A } from './a.ts';` })).toHaveLength(1);
  });

  it('GPUDevice outside its rooms, even as a type', () => {
    expect(problems({ ...none, 'kernels/d.ts': 'export type F = (device: GPUDevice) => void;' })).toEqual([
      'kernels/d.ts: only runtime and vision may name GPUDevice',
    ]);
    expect(problems({ ...none, 'kernels/d.ts': '/** Needs no GPUDevice. */' })).toEqual([]);
  });

  it.each(['ops/utils.ts', 'tensor/shape-helpers.ts', 'runtime/common.ts', 'helpers/x.ts'])('the name %s', (path) => {
    expect(problems({ [path]: '' })).toContain(`${path}: name the concept`);
  });

  it('a room that nobody planned', () => {
    expect(problems({ 'extras/x.ts': '' })).toEqual(['extras/x.ts: there is no room "extras"']);
  });
});

/** The public API is what is checked in: what changes it shows in `docs/api/`, and in the reference, and is said there. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { runNode } from '../support/run-node.ts';

vi.setConfig({ hookTimeout: 60_000 });

const root = fileURLToPath(new URL('../..', import.meta.url));
const FILES = ['docs/api.md', 'docs/api/index.api.md', 'docs/api/node.api.md', 'docs/api/onnx.api.md', 'docs/api/worker.api.md'];

/** As `scripts/api.mjs` prints it. */
let api: { readonly files: Readonly<Record<string, string>>; readonly undocumented: readonly string[] };

beforeAll(async () => {
  const { status, stdout, stderr } = await runNode(['scripts/api.mjs', '--json']);
  if (status !== 0) throw new Error(stdout + stderr);
  api = JSON.parse(stdout) as typeof api;
});

describe.each(FILES)('%s', (path) => {
  test('is up to date', () => {
    const checkedIn = readFileSync(join(root, path), 'utf8').replaceAll('\r\n', '\n');
    expect(api.files[path], 'the public API, or what its docstrings say, is not what is checked in; if that is meant, run: npm run api').toBe(checkedIn);
  });
});

test('there is a report for each entry, and no other', () => {
  const reports = readdirSync(join(root, 'docs/api')).map((name) => `docs/api/${name}`);
  expect([...reports, 'docs/api.md'].sort()).toEqual(Object.keys(api.files).sort());
});

test('everything exported has a docstring, and so has every method', () => {
  expect(api.undocumented).toEqual([]);
});

test('every link of the reference leads to a heading', () => {
  const reference = api.files['docs/api.md'];
  const counts = new Map<string, number>();
  const anchors = [...reference.replace(/^```[^]*?^```$/gm, '').matchAll(/^#+ (.*)$/gm)].map(([, heading]) => {
    const anchor = heading.toLowerCase().replace(/[^\w -]/g, '').replaceAll(' ', '-');
    const count = counts.get(anchor) ?? 0;
    counts.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
  const links = [...reference.matchAll(/\]\(#([^)]*)\)/g)].map(([, link]) => link);
  expect(links).toContain('readoptions');
  expect(links.filter((link) => !anchors.includes(link))).toEqual([]);
});

test('docstrings speak of nothing that is not exported', () => {
  expect(api.files['docs/api.md']).not.toMatch(/`\w+\.ts`|@see|borrowTexture|resolveTap|pipelineKey|typeof [A-Z_]+\b/);
});

test('no report names the machine that made it', () => {
  for (const text of Object.values(api.files)) expect(text).not.toMatch(/node_modules|\/tmp\/|[A-Z]:\\/);
});

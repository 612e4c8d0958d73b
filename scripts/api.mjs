/**
 * `npm run api`: writes what the package's public API is, to be checked in. `docs/api/<entry>.api.md` are its types, which change
 * when it does; `docs/api.md` is the reference. With `--json` it writes nothing and prints the files and what has no docstring.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { entriesOf, extractApi } from './api-extractor.mjs';
import { apiReference, undocumented } from './api-reference.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** The package's declarations, made anew. */
const folder = mkdtempSync(join(tmpdir(), 'compconv-types-'));
try {
  copyFileSync(join(root, 'package.json'), join(folder, 'package.json'));
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.types.json'), '--outDir', join(folder, 'dist/types')], { stdio: 'inherit' });

  const entries = entriesOf(folder).map((entry) => ({ ...entry, ...extractApi(folder, entry.types) }));
  const files = Object.fromEntries(entries.map(({ stem, report }) => [`docs/api/${stem}.api.md`, report]));
  files['docs/api.md'] = apiReference(entries);
  if (process.argv.includes('--json')) {
    console.log(JSON.stringify({ files, undocumented: entries.flatMap(undocumented) }));
  } else {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

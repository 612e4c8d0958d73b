/**
 * The public types of the package's entries, read from their declarations by API Extractor, which brings a TypeScript of its own:
 * as reports, which change when the API does, and as models with the docstrings, for the reference.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * The entries of a built package, each with its declarations.
 * @param {string} folder where its package.json is
 * @returns {{ name: string, stem: string, types: string }[]} `compconv-webgpu/onnx`, `onnx`, the path of its `.d.ts`
 */
export function entriesOf(folder) {
  const { name, exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return Object.entries(exports).flatMap(([path, { types }]) =>
    types ? [{ name: name + path.slice(1), stem: path === '.' ? 'index' : path.slice(2), types: join(folder, types) }] : [],
  );
}

/**
 * Reads one entry.
 * @param {string} folder where the package's package.json is; outside node_modules, whose files count as other packages'
 * @param {string} types the entry's declarations
 * @returns {{ report: string, model: object }} its declarations without docstrings, in the order of their names; what api-extractor-model reads
 */
export function extractApi(folder, types) {
  // Reports are only written inside a folder that is there.
  const temporary = mkdtempSync(join(tmpdir(), 'compconv-api-'));
  try {
    mkdirSync(join(temporary, 'report'));
    const configuration = {
      projectFolder: folder,
      mainEntryPointFilePath: types,
      compiler: {
        overrideTsconfig: {
          compilerOptions: {
            target: 'es2022',
            module: 'esnext',
            moduleResolution: 'bundler',
            lib: ['es2023', 'dom', 'dom.iterable', 'esnext.disposable'],
            typeRoots: [join(root, 'node_modules')],
            types: ['@webgpu/types', '@types/node'],
            skipLibCheck: true,
          },
          files: [types],
        },
      },
      apiReport: {
        enabled: true,
        reportFolder: join(temporary, 'report'),
        reportTempFolder: temporary,
        reportFileName: 'entry.api.md',
        includeForgottenExports: true,
      },
      docModel: { enabled: true, apiJsonFilePath: join(temporary, 'entry.api.json') },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      // Docstrings are not all TSDoc, and everything exported is public.
      messages: Object.fromEntries(
        ['compilerMessageReporting', 'extractorMessageReporting', 'tsdocMessageReporting'].map((kind) => [kind, { default: { logLevel: 'none' } }]),
      ),
    };
    const prepared = ExtractorConfig.prepare({
      configObject: configuration,
      configObjectFullPath: undefined,
      packageJsonFullPath: join(folder, 'package.json'),
    });
    Extractor.invoke(prepared, { localBuild: true, messageCallback: (message) => (message.handled = true) });
    const report = readFileSync(join(temporary, 'entry.api.md'), 'utf8')
      // Everything is public, and what has no docstring is no part of the types.
      .replace(/^ *\/\/ (@public.*|\(undocumented\)|\(No @packageDocumentation.*)\n/gm, '');
    return { report, model: JSON.parse(readFileSync(join(temporary, 'entry.api.json'), 'utf8')) };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

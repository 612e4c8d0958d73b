/** The API reference, Markdown to be read as it is: every export of every entry, its docstring, its declaration with those of its members. */

const SECTIONS = [
  ['Functions', ['Function']],
  ['Classes', ['Class']],
  ['Values', ['Variable']],
  ['Types', ['Interface', 'TypeAlias']],
];

/**
 * @param {{ name: string, model: object }[]} entries as `extractApi` reads them
 * @returns {string} Markdown
 */
export function apiReference(entries) {
  const intro = [
    '# API',
    'What each entry of the package exports. `npm run api` writes this file from the docstrings; what to do with it is in the [README](../README.md).',
    entries.map(({ name }) => `- [\`${name}\`](#${name.replace('/', '')})`).join('\n'),
  ];
  // What one entry says is not said again by another.
  const described = new Map();
  return [...intro, ...entries.flatMap((entry) => entryReference(entry, described))].join('\n\n') + '\n';
}

function entryReference({ name, model }, described) {
  const items = model.members[0].members;
  const parts = [`## ${name}`];
  for (const [title, kinds] of SECTIONS) {
    const names = [...new Set(items.filter(({ kind }) => kinds.includes(kind)).map(nameOf))].sort((a, b) => a.localeCompare(b));
    if (names.length === 0) continue;
    parts.push(`### ${title}`);
    for (const each of names) {
      const overloads = items.filter((item) => kinds.includes(item.kind) && nameOf(item) === each);
      if (described.has(each)) {
        parts.push(`#### ${each}`, `See \`${described.get(each)}\`.`);
        continue;
      }
      described.set(each, name);
      parts.push(`#### ${each}`, ...overloads.map(({ docComment }) => prose(docComment)).filter(Boolean));
      parts.push(['```ts', ...overloads.map(declaration), '```'].join('\n'));
    }
  }
  return parts;
}

/** Top-level exports, and methods of classes, that have no docstring. */
export function undocumented({ name, model }) {
  const missing = [];
  for (const item of model.members[0].members) {
    if (!item.docComment) missing.push(`${name}: ${nameOf(item)}`);
    for (const member of item.members ?? []) {
      const isMethod = member.kind.startsWith('Method') && !member.name.startsWith('[');
      if (isMethod && !member.docComment) missing.push(`${name}: ${nameOf(item)}.${member.name}`);
    }
  }
  return missing;
}

/** API Extractor calls a `Node` that is not the DOM's `Node_2`. */
const nameOf = ({ name }) => name.replace(/_\d+$/, '');

/** A parameter that is taken apart has no name in declarations, and `input2` in API Extractor's. */
const excerpt = ({ excerptTokens }) =>
  excerptTokens
    .map(({ text }) => text)
    .join('')
    .replace(/\b(\w+)_2\b/g, '$1')
    .replace(/\binput\d*(?=\?: [\w<]*Options)/g, 'options');

function declaration(item) {
  const head = excerpt(item).replace(/^export (declare )?/, '').trim();
  if (!item.members) return head;
  const members = item.members.filter(({ kind, name }) => kind !== 'Constructor' && !name?.startsWith('['));
  return [`${head} {`, ...members.map(memberDeclaration), '}'].join('\n');
}

function memberDeclaration(member) {
  const doc = textOf(member.docComment).replace(/\n{2,}/g, '\n');
  const comment = doc.includes('\n') ? `/**\n * ${doc.replace(/\n/g, '\n * ')}\n */\n` : doc && `/** ${doc} */\n`;
  return (comment + excerpt(member).replace(/\n {4}/g, '\n')).replace(/^/gm, '  ');
}

/** A docstring's text, its tags where TSDoc has put them apart on lines of their own. */
function textOf(docComment) {
  return docComment
    .replace(/^\/\*\*|\*\/\s*$/g, '')
    .replace(/^ \* ?/gm, '')
    .replace(/\n*(@\w+)\n+/g, '\n$1 ')
    .trim();
}

/** A docstring as paragraphs. */
function prose(docComment) {
  const [text, ...tags] = textOf(docComment).split(/\n?@(?=throws|returns|param)/);
  const lines = tags.map((tag) => {
    const [, kind, rest] = /^(\w+)\s+([^]*)$/.exec(tag);
    const line = rest.trim().replace(/\s*\n\s*/g, ' ');
    if (kind === 'param') return `- ${line.replace(/^(\w+)( -)?/, '`$1`:')}`;
    return `- ${kind === 'throws' ? 'Throws' : 'Returns'} ${line}`;
  });
  return [text.trim(), lines.join('\n')].filter(Boolean).join('\n\n');
}

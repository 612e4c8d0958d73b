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
  const anchor = anchors();
  anchor('API');
  /** By name, the anchor of what is exported: what one entry says is not said again by another. */
  const described = new Map();
  const outline = entries.map((entry) => outlineOf(entry, described, anchor));
  const intro = [
    '# API',
    'What each entry of the package exports. `npm run api` writes this file from the docstrings; what to do with it is in the [README](../README.md).',
    outline.map(({ name, address }) => `- [\`${name}\`](#${address})`).join('\n'),
  ];
  return [...intro, ...outline.flatMap((entry) => entryReference(entry, described))].join('\n\n') + '\n';
}

/** Anchors of headings in their order, as GitHub makes them: of several equal ones each has a number. */
function anchors() {
  const counts = new Map();
  return (heading) => {
    const base = heading.toLowerCase().replace(/[^\w -]/g, '').replaceAll(' ', '-');
    const count = counts.get(base) ?? 0;
    counts.set(base, count + 1);
    return count === 0 ? base : `${base}-${count}`;
  };
}

/** What an entry describes, in sections, and what others have described already. */
function outlineOf({ name, model }, described, anchor) {
  const items = model.members[0].members;
  const address = anchor(name);
  const again = [...new Set(items.map(nameOf))].filter((each) => described.has(each)).sort(byName);
  const sections = SECTIONS.map(([title, kinds]) => {
    const own = items.filter((item) => kinds.includes(item.kind) && !again.includes(nameOf(item)));
    const names = [...new Set(own.map(nameOf))].sort(byName);
    return { title, items: new Map(names.map((each) => [each, own.filter((item) => nameOf(item) === each)])) };
  }).filter(({ items }) => items.size > 0);
  for (const { title, items } of sections) {
    anchor(title);
    for (const each of items.keys()) described.set(each, anchor(each));
  }
  return { name, address, sections, again };
}

const byName = (a, b) => a.localeCompare(b);

function entryReference({ name, sections, again }, described) {
  const links = (names) => names.map((each) => `[${each}](#${described.get(each)})`).join(' · ');
  const parts = [`## ${name}`];
  if (again.length > 0) parts.push(`Also here: ${links(again)}`);
  for (const { title, items } of sections) {
    parts.push(`### ${title}`, links([...items.keys()]));
    for (const [each, overloads] of items) {
      parts.push(`#### ${each}`, ...overloads.map(({ docComment }) => prose(docComment)).filter(Boolean));
      parts.push(['```ts', ...overloads.map(declaration), '```'].join('\n'));
      const bases = basesOf(overloads[0]).filter((base) => described.has(base));
      if (bases.length > 0) parts.push(`With what these have: ${links(bases)}`);
    }
  }
  return parts;
}

/** Names in the `extends` of an interface, `Omit` and the like among them. */
function basesOf(item) {
  if (item.kind !== 'Interface') return [];
  // Its own type parameters may extend something, too.
  const head = excerpt(item).replace(/^(export (?:declare )?interface \w+)<[^>]*>/, '$1');
  const [, bases = ''] = / extends (.*)$/s.exec(head) ?? [];
  return bases.replace(/'[^']*'/g, '').match(/\w+/g) ?? [];
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
  const members = item.members.filter(({ kind, name, isStatic }) => kind !== 'Constructor' && !isStatic && !name?.startsWith('['));
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

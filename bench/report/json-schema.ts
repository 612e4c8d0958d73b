/**
 * Checks values against a JSON schema of the few keywords that the repository's own schemas use; a keyword that it does not
 * know is an error, so that none is passed over in silence.
 */

/** A schema, or a part of one. */
export type Schema = { readonly [keyword: string]: unknown };

const COMMENTS = ['$schema', 'title', 'description', '$defs'];

/** What is wrong with the value, one line each, with paths; none if it fits. @throws Error for an unknown keyword */
export function schemaProblems(value: unknown, schema: Schema, root: Schema = schema, path = '$'): string[] {
  return Object.entries(schema).flatMap(([keyword, expected]) => {
    const check = checks[keyword];
    if (check) return check(value, expected, { schema, root, path });
    if (COMMENTS.includes(keyword)) return [];
    throw new Error(`schema: the keyword ${keyword} is not known`);
  });
}

interface Place {
  readonly schema: Schema;
  readonly root: Schema;
  readonly path: string;
}

const checks: Readonly<Record<string, (value: unknown, expected: unknown, place: Place) => string[]>> = {
  $ref(value, expected, { root, path }) {
    const target = (root.$defs as Record<string, Schema>)[(expected as string).replace('#/$defs/', '')];
    if (!target) throw new Error(`schema: ${String(expected)} leads nowhere`);
    return schemaProblems(value, target, root, path);
  },
  type: (value, expected, { path }) => {
    const types = Array.isArray(expected) ? (expected as string[]) : [expected as string];
    return types.some((type) => hasType(value, type)) ? [] : [`${path}: is no ${types.join(' or ')}`];
  },
  const: (value, expected, { path }) => (value === expected ? [] : [`${path}: is not ${JSON.stringify(expected)}`]),
  enum: (value, expected, { path }) =>
    (expected as unknown[]).includes(value) ? [] : [`${path}: is not one of ${JSON.stringify(expected)}`],
  pattern(value, expected, { path }) {
    const fits = typeof value !== 'string' || new RegExp(expected as string).test(value);
    return fits ? [] : [`${path}: does not match ${String(expected)}`];
  },
  minimum: (value, expected, { path }) =>
    typeof value !== 'number' || value >= (expected as number) ? [] : [`${path}: ${value} is too small`],
  exclusiveMinimum: (value, expected, { path }) =>
    typeof value !== 'number' || value > (expected as number) ? [] : [`${path}: ${value} is too small`],
  minItems: (value, expected, { path }) =>
    !Array.isArray(value) || value.length >= (expected as number) ? [] : [`${path}: has too few items`],
  items: (value, expected, { root, path }) =>
    Array.isArray(value) ? value.flatMap((item, i) => schemaProblems(item, expected as Schema, root, `${path}[${i}]`)) : [],
  required: (value, expected, { path }) =>
    isObject(value) ? (expected as string[]).filter((key) => !Object.hasOwn(value, key)).map((key) => `${path}: lacks ${key}`) : [],
  properties(value, expected, { root, path }) {
    if (!isObject(value)) return [];
    const known = Object.entries(expected as Record<string, Schema>).filter(([key]) => Object.hasOwn(value, key));
    return known.flatMap(([key, part]) => schemaProblems(value[key], part, root, `${path}.${key}`));
  },
  /** What `properties` does not name: forbidden, or all of one schema. */
  additionalProperties(value, expected, { schema, root, path }) {
    if (!isObject(value)) return [];
    const others = Object.keys(value).filter((key) => !Object.hasOwn((schema.properties as object | undefined) ?? {}, key));
    return others.flatMap((key) =>
      expected === false ? [`${path}: has ${key} too`] : schemaProblems(value[key], expected as Schema, root, `${path}.${key}`),
    );
  },
};

function hasType(value: unknown, type: string): boolean {
  if (type === 'null') return value === null;
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return isObject(value);
  if (type === 'integer') return Number.isInteger(value);
  return typeof value === type && (type !== 'number' || Number.isFinite(value));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

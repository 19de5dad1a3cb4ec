/**
 * Writes the reference of the configuration from its schema, so that the two cannot differ. Text in,
 * text out; a test keeps `docs/configuration.md` up to date.
 */
import { stringify } from 'yaml';
import type { Schema } from './schema.ts';

const HEAD = `# Configuration

<!-- Written from schema/nospof.schema.json by agent/config/reference.ts. Change the schema, then run UPDATE=1 npm test. -->

`;

const FORMS = `
\`nospof check FILE\` checks a file and reports every problem in it with line, column and mend.
An annotated example is in [nospof.example.yaml](nospof.example.yaml).

**Durations** are a number and a unit: \`500ms\`, \`2s\`, \`1.5m\`, \`1h\`, \`7d\`.
**Identities** of components and groups are KIND/NAME, as \`nospof status\` shows them: \`link/eth0\`.
In **globs** \`*\` stands for any characters, \`/\` included; nothing else is special. A text that begins with \`*\` needs quotes.
**YAML** is version 1.2: one document of at most 1 MiB, UTF-8, no tags; anchors work, merge keys (\`<<\`) do not.

`;

const TYPE_WORDS: Readonly<Record<string, string>> = {
  array: 'list',
  boolean: 'true or false',
  integer: 'whole number',
  number: 'number',
  object: 'map',
  string: 'text',
};

const FORMAT_WORDS: Readonly<Record<string, string>> = {
  listen: 'HOST:PORT',
  glob: 'glob',
  component: 'identity',
  address: 'IP address',
};

function resolved(schema: Schema, root: Schema): Schema {
  const name = schema.$ref?.replace('#/definitions/', '');
  const target = name === undefined ? undefined : root.definitions?.[name];
  return target === undefined ? schema : { ...target, ...schema };
}

function code(value: unknown): string {
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

/** The sort of value in few words, with its bounds. */
function sortOf(schema: Schema, root: Schema): string {
  if (schema.anyOf !== undefined) {
    return schema.anyOf.map((one) => sortOf(resolved(one, root), root)).join(' or ');
  }
  if (schema.enum !== undefined) return schema.enum.map(code).join(' or ');
  if (schema.title !== undefined) return schema.title;
  const duration = schema['x-duration'];
  if (duration !== undefined) return `duration, ${duration.min} to ${duration.max}`;
  const format = schema.format === undefined ? undefined : FORMAT_WORDS[schema.format];
  if (format !== undefined) return format;
  if (schema.minimum !== undefined) {
    return `${TYPE_WORDS[schema.type ?? '']}, ${schema.minimum} to ${schema.maximum}`;
  }
  if (schema.type !== 'array') return TYPE_WORDS[schema.type ?? ''] ?? 'value';
  return `list, at most ${schema.maxItems}; each: ${sortOf(resolved(schema.items ?? {}, root), root)}`;
}

function notes(schema: Schema): string {
  const { default: otherwise } = schema;
  const plain = otherwise !== undefined && typeof otherwise !== 'object';
  return plain ? ` Default ${code(otherwise)}.` : '';
}

/** The keys below a map or a list of maps, one line each, indented by depth. */
function keyLines(schema: Schema, root: Schema, depth: number): readonly string[] {
  const lines: string[] = [];
  for (const [key, raw] of Object.entries(schema.properties ?? {})) {
    const part = resolved(raw, root);
    const must = schema.required?.includes(key) === true ? ', required' : '';
    const text = `- \`${key}\` (${sortOf(part, root)}${must}): ${part.description ?? ''}${notes(part)}`;
    lines.push(`${'  '.repeat(depth)}${text}`, ...keyLines(part, root, depth + 1));
  }
  if (schema.items !== undefined)
    lines.push(...keyLines(resolved(schema.items, root), root, depth));
  const { additionalProperties: any } = schema;
  if (typeof any === 'object') {
    lines.push(`${'  '.repeat(depth)}- any name (${sortOf(any, root)}): ${any.description ?? ''}`);
    for (const branch of any.anyOf ?? []) lines.push(...keyLines(branch, root, depth + 1));
    lines.push(...keyLines(any, root, depth + 1));
  }
  return lines;
}

function section(key: string, raw: Schema, root: Schema): string {
  const schema = resolved(raw, root);
  const example = stringify({ [key]: schema.examples?.[0] }, { singleQuote: true, lineWidth: 0 });
  const lines = keyLines(schema, root, 0);
  return [
    `## ${key}`,
    '',
    `${schema.description ?? ''}${notes(schema)}`,
    '',
    `Value: ${sortOf(schema, root)}.`,
    '',
    ...(lines.length > 0 ? [...lines, ''] : []),
    '```yaml',
    example.trimEnd(),
    '```',
    '',
  ].join('\n');
}

/** Markdown of the whole reference. */
export function reference(root: Schema): string {
  const sections = Object.entries(root.properties ?? {}).map(([key, schema]) =>
    section(key, schema, root),
  );
  return `${HEAD}${root.description ?? ''}\n${FORMS}${sections.join('\n')}`;
}

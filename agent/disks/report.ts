/** Text and JSON of what was seen of disks: who owns what, by which paths, and what looks wrong. */

import { relationOf } from '../../fencing/reservation/key.ts';
import { OWN_TYPE } from '../../fencing/reservation/request.ts';
import { isRegistered, type Path, type Table } from '../../fencing/reservation/table.ts';
import { columnsText } from '../commands/columns.ts';
import { type Disk, pathsOf, type Seen } from './look.ts';

export interface Line {
  readonly wwid: string;
  readonly model: string;
  readonly paths: readonly string[];
  readonly state: string;
  readonly holder: string | undefined;
  readonly type: string | undefined;
  /** Registrations by key. */
  readonly keys: Readonly<Record<string, number>>;
  readonly generation: number | undefined;
  readonly wrong: readonly string[];
}

function counted(keys: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const key of keys) counts[key] = (counts[key] ?? 0) + 1;
  return counts;
}

function stateOf(table: Table | undefined): string {
  if (table === undefined) return 'unknown';
  if (table.holder !== undefined) return 'reserved';
  return table.keys.length > 0 ? 'registered' : 'free';
}

/** What a table shows that an engineer would not leave so. */
function wrongOf({ table, capabilities, failed }: Seen, disk: Disk): readonly string[] {
  const wrong = [...failed].map(([name, why]) => `${name} does not answer: ${why}`);
  if (table === undefined) return wrong;
  const { holder, type, keys } = table;
  if (holder === undefined && keys.length > 0) {
    wrong.push('keys are registered, but nothing is reserved: nothing is protected');
  }
  if (holder !== undefined && type !== OWN_TYPE) {
    wrong.push(`reserved as ${type ?? 'an unknown type'}: nospof uses ${OWN_TYPE}`);
  }
  if (holder !== undefined && !keys.includes(holder) && !/^0+$/u.test(holder)) {
    wrong.push(`the holder ${holder} is not among the keys`);
  }
  const counts = counted(keys);
  if (holder !== undefined && counts[holder] === 1 && disk.paths.length > 1) {
    const here = pathsOf(disk).some((path) => isRegistered(table, holder, path) === 'yes');
    if (here) wrong.push(`${holder} is registered on one path of ${disk.paths.length} only`);
  }
  const others = Object.keys(counts).filter(
    (key) => holder !== undefined && relationOf(key as never, holder) === 'stranger',
  );
  if (others.length > 0) wrong.push(`keys of strangers: ${others.join(', ')}`);
  if (capabilities?.aptplCapable === false) {
    wrong.push('registrations do not survive a power loss of the disk (no APTPL)');
  }
  return wrong;
}

export function lineOf(disk: Disk, seen: Seen): Line {
  const { table } = seen;
  return {
    wwid: disk.wwid,
    model: disk.paths[0]?.node.model ?? '',
    paths: disk.paths.map(({ node }) =>
      node.block === undefined ? node.name : `${node.name}/${node.block}`,
    ),
    state: stateOf(table),
    holder: table?.holder,
    type: table?.type,
    keys: counted(table?.keys ?? []),
    generation: table?.generation,
    wrong: wrongOf(seen, disk),
  };
}

function plural(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** One disk in one line. */
export function listText(lines: readonly Line[]): string {
  const rows = lines.map(({ wwid, paths, state, holder, keys, wrong }) => [
    wwid,
    paths.join(' '),
    state,
    holder ?? '-',
    plural(Object.keys(keys).length, 'key'),
    wrong.length > 0 ? `! ${wrong[0]}` : '',
  ]);
  return columnsText([['DISK', 'PATHS', 'STATE', 'HOLDER', 'KEYS', ''], ...rows]);
}

function tableText(table: Table, capabilities: Seen['capabilities']): readonly string[] {
  const { holder, type, generation, registrations, keys } = table;
  const by = holder === undefined ? 'nobody' : `${holder} as ${type ?? 'an unknown type'}`;
  const rows = [`reserved by   ${by}`, `generation    ${generation}`];
  if (capabilities !== undefined) {
    const kept = capabilities.aptplActive ? 'kept now' : 'not kept now';
    const power = capabilities.aptplCapable ? `can keep registrations, ${kept}` : 'loses them';
    rows.push(`power loss    ${power}`);
  }
  rows.push('', 'registrations');
  if (keys.length === 0) rows.push('    none');
  for (const one of registrations ?? []) {
    const port = one.allPorts ? 'all ports' : `port ${one.port}`;
    rows.push(`  ${one.holder ? '*' : ' '} ${one.key}  ${port}  ${one.initiator}`);
  }
  if (registrations !== undefined) return rows;
  for (const [key, count] of Object.entries(counted(keys))) rows.push(`    ${key}  ${count} times`);
  return rows;
}

/** Whether a path is registered, in words. */
function registeredText(table: Table | undefined, path: Path): string {
  if (table === undefined) return 'not known';
  const keys = [...new Set(table.keys)];
  const mine = keys.filter((key) => isRegistered(table, key, path) === 'yes');
  if (mine.length > 0) return `registered as ${mine.join(', ')}`;
  const unclear = keys.some((key) => isRegistered(table, key, path) === 'unknown');
  return unclear ? 'not to be told apart from other paths' : 'not registered';
}

function pathsText(disk: Disk, { table, failed }: Seen): readonly string[] {
  const paths = pathsOf(disk);
  return disk.paths.map(({ node, port }, index) => {
    const told = registeredText(table, paths[index] ?? { name: node.name });
    const state = failed.get(node.name) ?? `${node.state}, ${told}`;
    return `    ${node.name} ${node.block ?? '-'} ${node.address} port ${port ?? '?'}: ${state}`;
  });
}

/** Everything of one disk. */
export function showText(disk: Disk, seen: Seen): string {
  const { wwid, model, wrong } = lineOf(disk, seen);
  const { table, capabilities, why } = seen;
  return [
    `${wwid}  ${model}`,
    '',
    ...(table === undefined
      ? [`its registrations cannot be read: ${why}`]
      : tableText(table, capabilities)),
    '',
    'paths from here',
    ...pathsText(disk, seen),
    ...(wrong.length > 0 ? ['', ...wrong.map((one) => `! ${one}`)] : []),
  ].join('\n');
}

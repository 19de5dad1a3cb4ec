/** What the schema cannot say of services: one driver each, names that exist, an order without circle. */
import { isAbsolute } from 'node:path';
import { nearest } from '../../rules/near.ts';
import { shown } from './problems.ts';
import type { Finding } from './schema.ts';
import type { RawService } from './services.ts';

const DRIVERS = ['systemd', 'ocf', 'command'] as const;
/** Keys that mean something for one driver only. */
const OWN: Readonly<Record<string, (typeof DRIVERS)[number]>> = {
  parameters: 'ocf',
  environment: 'command',
  directory: 'command',
  user: 'command',
  stopSignal: 'command',
  check: 'command',
};

type Say = (index: number, key: string | undefined, message: string, mend: string) => void;

function reviewDriver(index: number, raw: RawService, say: Say): void {
  const given = DRIVERS.filter((driver) => raw[driver] !== undefined);
  const [driver, second] = given;
  if (driver === undefined) {
    say(index, undefined, 'says not how it is started', 'add systemd, ocf or command');
    return;
  }
  if (second !== undefined) {
    say(index, second, `has ${driver} already`, 'keep one of them');
    return;
  }
  for (const [key, owner] of Object.entries(OWN)) {
    if (raw[key as keyof RawService] === undefined || owner === driver) continue;
    say(index, key, `means nothing for ${driver}`, `remove it, or write ${owner}`);
  }
  for (const key of ['command', 'check'] as const) {
    const program = raw[key]?.[0];
    if (program === undefined || isAbsolute(program)) continue;
    say(index, key, `${shown(program)} is no absolute path`, 'write the whole path of the program');
  }
}

function reviewAfter(index: number, raw: RawService, names: readonly string[], say: Say): void {
  for (const [at, name] of (raw.after ?? []).entries()) {
    if (raw.after?.indexOf(name) !== at) {
      say(index, 'after', `${shown(name)} is here twice`, 'keep one');
    } else if (name === raw.name) {
      say(index, 'after', `${shown(name)} comes after itself`, 'remove it');
    } else if (!names.includes(name)) {
      const near = nearest(name, names);
      const mend = near === undefined ? `known: ${names.join(', ')}` : `did you mean '${near}'?`;
      say(index, 'after', `no service ${shown(name)}`, mend);
    }
  }
}

/** The circle a service stands in, from itself to itself; the first found. */
function circleOf(start: string, after: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const from = new Map<string, string>();
  const work = [start];
  for (let name = work.pop(); name !== undefined; name = work.pop()) {
    for (const next of after.get(name) ?? []) {
      if (next === start) {
        const circle = [start];
        for (let one: string | undefined = name; one !== undefined && one !== start; ) {
          circle.unshift(one);
          one = from.get(one);
        }
        return [start, ...circle];
      }
      if (from.has(next)) continue;
      from.set(next, name);
      work.push(next);
    }
  }
  return [];
}

function reviewCircles(services: readonly (readonly [number, RawService])[], say: Say): void {
  const after = new Map(services.map(([, raw]) => [raw.name, raw.after ?? []]));
  const told = new Set<string>();
  for (const [index, raw] of services) {
    if (told.has(raw.name) || raw.after?.includes(raw.name)) continue;
    const circle = circleOf(raw.name, after);
    if (circle.length === 0) continue;
    for (const name of circle) told.add(name);
    say(index, 'after', `is a circle: ${circle.join(' after ')}`, 'take one of them out');
  }
}

function reviewTimes(index: number, raw: RawService, say: Say): void {
  const depths = (raw.monitors ?? []).map(({ depth }) => depth);
  if (new Set(depths).size < depths.length) {
    say(index, 'monitors', 'has one depth twice', 'keep one of each');
  }
  if (raw.systemd !== undefined && depths.includes('deep')) {
    say(index, 'monitors', 'a unit has no deep look', 'let the unit check itself (WatchdogSec=)');
  }
  const command = raw.command !== undefined;
  if (command && raw.check === undefined && depths.includes('deep')) {
    say(index, 'monitors', 'the deep look has no check to run', 'add check, or remove it');
  }
}

/** Everything wrong with services in which the schema found no fault, by their places. */
export function reviewServices(
  services: readonly (readonly [number, RawService])[],
): readonly Finding[] {
  const findings: Finding[] = [];
  const say: Say = (index, key, message, mend) => {
    const path = key === undefined ? ['services', index] : ['services', index, key];
    findings.push({ path, of: 'value', message, mend });
  };
  const names = services.map(([, raw]) => raw.name);
  for (const [index, raw] of services) {
    if (services.some(([other, { name }]) => other < index && name === raw.name)) {
      say(index, 'name', `service ${shown(raw.name)} is here twice`, 'rename one');
    }
    reviewDriver(index, raw, say);
    reviewAfter(index, raw, names, say);
    reviewTimes(index, raw, say);
  }
  reviewCircles(services, say);
  return findings;
}

/**
 * What the schema cannot say: order of limits, counts, names given twice, collectors that exist. Looks
 * only at parts in which the schema found no fault, so that one mistake is reported once, and all
 * independent mistakes together.
 */
import { isIP } from 'node:net';
import type {
  DependencyConfig,
  GroupConfig,
  LimitConfig,
  NeedConfig,
  ReachTarget,
} from '../../rules/config.ts';
import { nearest } from '../../rules/near.ts';
import type { RawRules } from '../ruleset.ts';
import { type RawNode, type RawSwitch, reviewPower } from './cross-power.ts';
import { reviewServices } from './cross-services.ts';
import { type Path, shown } from './problems.ts';
import { ladderFindings } from './remedies.ts';
import { type Finding, finding } from './schema.ts';
import type { RawService } from './services.ts';

export type RawCollector = boolean | 'on' | 'off' | { readonly every?: string };

export interface RawFlap {
  readonly component: string;
  readonly changes: number;
  readonly within: string;
}

export type RawReach = Omit<ReachTarget, 'rank'> & { readonly rank?: number };

/** The value of a file in which the schema found no fault. */
export interface RawConfig {
  readonly node?: string;
  readonly listen?: string | false;
  readonly state?: string;
  readonly run?: string;
  readonly roots?: {
    readonly procfs?: string;
    readonly sysfs?: string;
    readonly devfs?: string;
    readonly runfs?: string;
  };
  readonly collectors?: Readonly<Record<string, RawCollector>>;
  readonly groups?: readonly GroupConfig[];
  readonly needs?: readonly NeedConfig[];
  readonly limits?: readonly LimitConfig[];
  readonly dependencies?: readonly DependencyConfig[];
  readonly flaps?: readonly RawFlap[];
  readonly ignore?: readonly string[];
  readonly reach?: readonly RawReach[];
  readonly services?: readonly RawService[];
  readonly series?: { readonly max?: number };
  readonly switches?: Readonly<Record<string, RawSwitch>>;
  readonly nodes?: Readonly<Record<string, RawNode>>;
  readonly rules?: RawRules;
}

export interface CrossFindings {
  readonly problems: readonly Finding[];
  readonly warnings: readonly Finding[];
  /** Services without fault so far, with their places. */
  readonly services: readonly (readonly [number, RawService])[];
}

interface Review {
  readonly raw: RawConfig;
  /** No fault was found at this path or below it. */
  readonly clean: (path: Path) => boolean;
  readonly problems: Finding[];
  readonly warnings: Finding[];
}

/** The entries of a list that have no fault, with their places. */
function entries<T>(review: Review, key: keyof RawConfig & string): readonly [number, T][] {
  const list = review.raw[key];
  if (!Array.isArray(list)) return [];
  return (list as readonly T[])
    .map((entry, index): [number, T] => [index, entry])
    .filter(([index]) => review.clean([key, index]));
}

/** Reports every text that was there before. */
function unique(
  texts: readonly (readonly [Path, string])[],
  into: Finding[],
  say: (text: string, first: Path) => readonly [message: string, mend: string],
): void {
  const first = new Map<string, Path>();
  for (const [path, text] of texts) {
    const before = first.get(text);
    if (before === undefined) first.set(text, path);
    else into.push(finding(path, ...say(text, before)));
  }
}

function reviewCollectors(review: Review, known: readonly string[]): void {
  const { collectors } = review.raw;
  if (typeof collectors !== 'object' || collectors === null || Array.isArray(collectors)) return;
  for (const name of Object.keys(collectors)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    const mend = near === undefined ? `known: ${known.join(', ')}` : `did you mean '${near}'?`;
    review.problems.push(finding(['collectors', name], `no collector ${shown(name)}`, mend, 'key'));
  }
}

function reviewGroups(review: Review): void {
  const groups = entries<GroupConfig>(review, 'groups');
  const names = groups.map(([index, { name }]) => [['groups', index, 'name'], name] as const);
  unique(names, review.problems, (name) => [`group ${shown(name)} is here twice`, 'rename one']);
  for (const [index, { members, needs }] of groups) {
    const texts = members.map((text, at) => [['groups', index, 'members', at], text] as const);
    unique(texts, review.problems, (text) => [`member ${shown(text)} is here twice`, 'keep one']);
    const count = new Set(members).size;
    if (members.some((member) => member.includes('*')) || needs <= count) continue;
    const message = `needs ${needs} of ${count} member${count === 1 ? '' : 's'}`;
    review.problems.push(finding(['groups', index, 'needs'], message, `write ${count} or less`));
  }
}

type Marks = NonNullable<LimitConfig['above']>;

/** Order of the marks of one side; `sign` -1 turns "below" into "above". */
function reviewMarks(review: Review, path: Path, marks: Marks, sign: 1 | -1): void {
  const { failing, failed, recovers } = marks;
  const [worse, better] = sign === 1 ? ['above', 'below'] : ['below', 'above'];
  if (failing === undefined && failed === undefined) {
    review.problems.push(finding(path, 'has neither failing nor failed', 'give one of them'));
  }
  if (failing !== undefined && failed !== undefined && sign * failed <= sign * failing) {
    const message = `failed ${failed} must be ${worse} failing ${failing}`;
    review.problems.push(finding([...path, 'failed'], message, 'swap them, or leave one out'));
  }
  const start = failing ?? failed;
  if (recovers !== undefined && start !== undefined && sign * recovers > sign * start) {
    const name = failing === undefined ? 'failed' : 'failing';
    const message = `recovers ${recovers} must not be ${worse} ${name} ${start}`;
    const mend = `write ${start} or a value ${better} it`;
    review.problems.push(finding([...path, 'recovers'], message, mend));
  }
}

function reviewLimits(review: Review): void {
  for (const [index, { above, below }] of entries<LimitConfig>(review, 'limits')) {
    const path = ['limits', index];
    if (above !== undefined) reviewMarks(review, [...path, 'above'], above, 1);
    if (below !== undefined) reviewMarks(review, [...path, 'below'], below, -1);
    if (above === undefined && below === undefined) {
      const mend = 'add above: {failing: 80}, or below';
      review.problems.push(finding(path, 'has neither above nor below', mend));
    }
    const low = Math.max(...Object.values(below ?? {}));
    const high = Math.min(...Object.values(above ?? {}));
    if (low >= high) {
      const message = `${low} (below) and ${high} (above) leave no good value`;
      review.problems.push(finding([...path, 'below'], message, 'keep below under above'));
    }
  }
}

function reviewDependencies(review: Review): void {
  for (const [index, { component, needs }] of entries<DependencyConfig>(review, 'dependencies')) {
    const path = ['dependencies', index, 'needs'];
    const texts = needs.map((text, at) => [[...path, at], text] as const);
    unique(texts, review.problems, (text) => [`${shown(text)} is here twice`, 'keep one']);
    for (const [at, text] of needs.entries()) {
      if (text !== component) continue;
      review.problems.push(finding([...path, at], `${shown(text)} needs itself`, 'remove it'));
    }
  }
}

/** Lists in which the last line that names a thing wins: an equal line before it has no effect. */
function reviewOverridden(review: Review): void {
  const needs = entries<NeedConfig>(review, 'needs');
  const flaps = entries<RawFlap>(review, 'flaps');
  const say = (text: string): [string, string] => [
    `${shown(text)} is here again: the last line wins`,
    'keep one',
  ];
  const groups = needs.map(([index, { group }]) => [['needs', index, 'group'], group] as const);
  unique(groups, review.warnings, say);
  const flapping = flaps.map(
    ([index, { component }]) => [['flaps', index, 'component'], component] as const,
  );
  unique(flapping, review.warnings, say);
}

function reviewIgnore(review: Review): void {
  for (const [index, text] of entries<string>(review, 'ignore')) {
    if (!/^[*/]+$/u.test(text)) continue;
    review.problems.push(
      finding(['ignore', index], 'ignores everything', 'name a kind: link/docker*'),
    );
  }
}

function reviewTarget(review: Review, index: number, target: RawReach): void {
  const path = ['reach', index];
  const say = (key: string, message: string, mend: string): void => {
    review.problems.push(finding([...path, key], message, mend));
  };
  if (target.method === 'tcp' && target.port === undefined) {
    say('method', "method tcp needs a 'port'", 'add port: 443');
  }
  if (target.method !== 'tcp' && target.port !== undefined) {
    say('port', `method ${target.method} has no port`, 'remove it, or write method: tcp');
  }
  const six = isIP(target.address) === 6;
  if (target.method === 'arp' && six) {
    say('method', 'ARP does not exist for IPv6', 'write method: icmp');
  }
  if (six && /^fe[89ab]/iu.test(target.address) && target.link === undefined) {
    say('address', 'is on every link', "add the link, such as link: 'eth0'");
  }
  if (/^(127\.|::1$)/u.test(target.address)) {
    const message = `${target.address} is this node itself and proves nothing`;
    review.warnings.push(finding([...path, 'address'], message, 'name a host beyond the line'));
  }
}

function reviewReach(review: Review): void {
  const targets = entries<RawReach>(review, 'reach');
  const names = targets.map(([index, { name }]) => [['reach', index, 'name'], name] as const);
  unique(names, review.problems, (name) => [`target ${shown(name)} is here twice`, 'rename one']);
  for (const [index, target] of targets) reviewTarget(review, index, target);
}

function reviewLadders(review: Review): void {
  if (!review.clean(['rules'])) return;
  for (const [name, change] of Object.entries(review.raw.rules?.overrides ?? {})) {
    if (typeof change !== 'object' || change.ladder === undefined) continue;
    const path = ['rules', 'overrides', name, 'ladder'];
    review.problems.push(...ladderFindings(change.ladder, path));
  }
}

/** All faults beyond the schema's. `raw` is the value as read: nothing of it is taken for granted. */
export function crossCheck(
  raw: RawConfig,
  faults: readonly Finding[],
  collectors: readonly string[],
): CrossFindings {
  const dirty = new Set<string>();
  for (const { path } of faults) {
    for (let depth = 0; depth <= path.length; depth += 1) {
      dirty.add(JSON.stringify(path.slice(0, depth)));
    }
  }
  const clean = (path: Path): boolean => !dirty.has(JSON.stringify(path));
  const review: Review = { raw, clean, problems: [], warnings: [] };
  reviewCollectors(review, collectors);
  reviewGroups(review);
  reviewLimits(review);
  reviewDependencies(review);
  reviewOverridden(review);
  reviewIgnore(review);
  reviewReach(review);
  reviewPower(review);
  reviewLadders(review);
  const services = entries<RawService>(review, 'services');
  review.problems.push(...reviewServices(services));
  return { ...review, services };
}

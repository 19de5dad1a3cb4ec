/**
 * What the schema cannot say of switches and feeds: devices that exist, supplies that a level leaves on,
 * outlets with two masters, plans that rest on a device which falls with the node it should cut.
 */
import type { SwitchConfig } from '../../rules/config.ts';
import { nearest } from '../../rules/near.ts';
import { type Path, shown } from './problems.ts';
import { type Finding, finding } from './schema.ts';

export type RawSwitch = Omit<
  SwitchConfig,
  'name' | 'secrets' | 'deadlineMs' | 'fallsWith' | 'snmp'
> & {
  readonly snmp?: Omit<NonNullable<SwitchConfig['snmp']>, 'version'> & {
    readonly version: string | number;
  };
  readonly secrets?: Readonly<Record<string, string>>;
  readonly deadline?: string;
  readonly fallsWith?: readonly string[];
};

export interface RawFeed {
  readonly supply: string;
  readonly switch: string;
  readonly outlet: string | number;
  readonly name?: string;
  readonly level?: number;
}

export interface RawNode {
  readonly feeds: readonly RawFeed[];
  readonly discharge?: string;
  readonly unverified?: 'allowed';
}

interface Review {
  readonly raw: {
    readonly switches?: Readonly<Record<string, RawSwitch>>;
    readonly nodes?: Readonly<Record<string, RawNode>>;
  };
  readonly clean: (path: Path) => boolean;
  readonly problems: Finding[];
  readonly warnings: Finding[];
}

/** What cuts every supply of a node at once. */
export const ALL_SUPPLIES = 'all';

function entriesOf<T>(review: Review, key: 'switches' | 'nodes'): readonly [string, T][] {
  const map = review.raw[key];
  if (typeof map !== 'object' || map === null || Array.isArray(map)) return [];
  return (Object.entries(map) as [string, T][]).filter(([name]) => review.clean([key, name]));
}

function reviewSnmp(review: Review, name: string, { snmp }: RawSwitch): void {
  if (snmp === undefined) return;
  const path = ['switches', name, 'snmp'];
  const say = (key: string, message: string, mend: string): void => {
    review.problems.push(finding([...path, key], message, mend));
  };
  const three = String(snmp.version) === '3';
  if (three && snmp.user === undefined) say('version', 'version 3 needs a user', 'add user: NAME');
  if (!three && snmp.readFile === undefined) {
    say('version', `version ${snmp.version} needs a community`, 'add readFile: FILE');
  }
  if (!three && (snmp.user ?? snmp.auth ?? snmp.priv) !== undefined) {
    say('version', `version ${snmp.version} has no users`, "write version: '3', or remove user");
  }
  if (snmp.auth !== undefined && snmp.authFile === undefined) {
    say('auth', 'has no passphrase', 'add authFile: FILE');
  }
  if (snmp.priv !== undefined && snmp.privFile === undefined) {
    say('priv', 'has no passphrase', 'add privFile: FILE');
  }
  if (snmp.priv !== undefined && snmp.auth === undefined) {
    say('priv', 'encryption needs authentication', 'add auth and authFile');
  }
}

function reviewSwitches(review: Review): void {
  for (const [name, one] of entriesOf<RawSwitch>(review, 'switches')) {
    const path = ['switches', name];
    const places = [one.address, one.serial].filter((place) => place !== undefined).length;
    if (places > 1 || (places === 0 && one.agent === undefined)) {
      const message = 'needs either an address or a serial port';
      review.problems.push(finding(path, message, 'add address: 192.0.2.10', 'key'));
    }
    reviewSnmp(review, name, one);
  }
}

function levelsOf({ feeds }: RawNode): ReadonlyMap<number, readonly RawFeed[]> {
  const levels = new Map<number, RawFeed[]>();
  for (const feed of feeds)
    levels.set(feed.level ?? 1, [...(levels.get(feed.level ?? 1) ?? []), feed]);
  return levels;
}

/** Every level must cut every supply. */
function reviewLevels(review: Review, name: string, node: RawNode): void {
  const supplies = new Set(
    node.feeds.map(({ supply }) => supply).filter((one) => one !== ALL_SUPPLIES),
  );
  const path = ['nodes', name, 'feeds'];
  const levels = levelsOf(node);
  for (const [level, feeds] of levels) {
    if (feeds.some(({ supply }) => supply === ALL_SUPPLIES)) continue;
    const left = [...supplies].filter((one) => !feeds.some(({ supply }) => supply === one));
    if (left.length === 0) continue;
    const message = `level ${level} leaves ${left.join(', ')} on`;
    review.problems.push(finding(path, message, 'add the feed to this level'));
  }
  const dependent = (feed: RawFeed): boolean =>
    review.raw.switches?.[feed.switch]?.fallsWith?.includes(name) === true;
  if (![...levels.values()].some((feeds) => !feeds.some(dependent))) {
    const message = `every level needs a device that falls with ${name}`;
    review.problems.push(finding(path, message, 'add a level with devices that stay'));
  }
}

function reviewShared(review: Review, name: string, node: RawNode): void {
  for (const feeds of levelsOf(node).values()) {
    const used = new Map<string, string>();
    for (const { supply, switch: device } of feeds) {
      const before = used.get(device);
      used.set(device, supply);
      if (before === undefined || before === supply) continue;
      const message = `${before} and ${supply} hang on one switch: with it, both are lost`;
      review.warnings.push(finding(['nodes', name, 'feeds'], message, 'use two switches'));
    }
  }
}

function reviewNodes(review: Review): void {
  const switches = Object.keys(review.raw.switches ?? {});
  const masters = new Map<string, string>();
  for (const [name, node] of entriesOf<RawNode>(review, 'nodes')) {
    for (const [at, feed] of node.feeds.entries()) {
      const path: Path = ['nodes', name, 'feeds', at];
      if (!switches.includes(feed.switch)) {
        const near = nearest(feed.switch, switches);
        const mend = near === undefined ? 'add it under switches' : `did you mean '${near}'?`;
        const message = `no switch ${shown(feed.switch)}`;
        review.problems.push(finding([...path, 'switch'], message, mend));
      }
      const key = JSON.stringify([feed.switch, String(feed.outlet)]);
      const before = masters.get(key);
      masters.set(key, name);
      if (before === undefined) continue;
      const message = `outlet ${shown(String(feed.outlet))} of ${feed.switch} powers ${before} already`;
      review.problems.push(finding([...path, 'outlet'], message, 'check the cables'));
    }
    reviewLevels(review, name, node);
    reviewShared(review, name, node);
  }
}

/** All that is wrong with switches and nodes. */
export function reviewPower(review: Review): void {
  reviewSwitches(review);
  reviewNodes(review);
}
